"""Cost and latency of the streaming engine, beside hearing the last seconds anew at each step.

    python benchmarks/realtime.py [--model FILE] [--seconds 60] [--repeats 5]

Music is noise: the cost does not depend on what is heard.
"""

import argparse
import time

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate

from songnet.audio import Clip, to_mono
from songnet.classify import find_model
from songnet.mel import mel_spectrogram
from songnet.realtime import Model, Stream

RATE = 44_100  # Hz
PIECE = 441  # samples: 10 ms, as a sound card gives them
WINDOW = 10.0  # seconds that the other way hears anew, as long as a crop in training


def streaming(model: Model, music: NDArray[np.float32]) -> tuple[list[float], list[float]]:
    """Seconds of work for each step, and from the last piece of each step to its verdict."""
    stream = Stream(model, RATE)
    costs, latencies, cost = [], [], 0.0
    for start in range(0, len(music), PIECE):
        before = time.perf_counter()
        steps = stream.push(music[start : start + PIECE])
        spent = time.perf_counter() - before
        cost += spent
        if steps:
            costs.append(cost / len(steps))
            latencies.append(spent)
            cost = 0.0
    return costs, latencies


def anew(model: Model, music: NDArray[np.float32]) -> list[float]:
    """Seconds of work for each step when the last seconds are heard anew."""
    costs = []
    size = int(WINDOW * RATE)
    for end in range(size, len(music), int(model.step_seconds * RATE)):
        before = time.perf_counter()
        samples = to_mono(Clip(music[end - size : end], RATE), model.mel.sample_rate)
        mel = torch.from_numpy(mel_spectrogram(samples, model.mel))[None]
        with torch.inference_mode():
            model.saved.network(mel)
        costs.append(time.perf_counter() - before)
    return costs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = find_model(arguments.model)
    rng = np.random.default_rng(0)
    music = (0.1 * rng.standard_normal(int(arguments.seconds * RATE))).astype(np.float32)
    streaming(model, music[: 5 * RATE])
    rows = []
    for repeat in range(1, arguments.repeats + 1):
        costs, latencies = streaming(model, music)
        again = anew(model, music)
        rows.append(
            {
                "repeat": repeat,
                "step, ms": 1e3 * np.median(costs),
                "% of the music it covers": 100 * np.median(costs) / model.step_seconds,
                "p95 latency, ms": 1e3 * np.quantile(latencies, 0.95),
                f"last {WINDOW:g} s anew, ms": 1e3 * np.median(again),
                "anew / streaming": np.median(again) / np.median(costs),
            }
        )
    print(tabulate(rows, headers="keys", floatfmt=".2f"))


if __name__ == "__main__":
    main()
