"""Cost and latency of the streaming engine, beside hearing the last seconds anew at each step.

Music is noise: the cost does not depend on what is heard.
"""

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measure import Section, in_turn, spread
from songnet.features.audio import Clip, resample
from songnet.realtime.stream import Model, Stream, load_model

RATE = 44_100  # Hz
PIECE = 441  # samples: 10 ms, as a sound card gives them
WINDOW = 10.0  # seconds that the other way hears anew, as long as a crop in training
SECONDS = 40  # of music


def streaming(model: Model, music: NDArray[np.float32]) -> list[float]:
    """Hear all; seconds from the last piece of each step to its verdict."""
    stream = Stream(model, RATE)
    latencies = []
    for start in range(0, len(music), PIECE):
        before = time.perf_counter()
        if stream.push(music[start : start + PIECE]):
            latencies.append(time.perf_counter() - before)
    return latencies


def anew(model: Model, music: NDArray[np.float32], steps: int) -> None:
    """Hear the last seconds anew, so many times."""
    size = int(WINDOW * RATE)
    for end in np.linspace(size, len(music), steps).astype(int):
        samples = resample(Clip(music[end - size : end], RATE, 1), model.spectrogram.sample_rate)
        mel = torch.from_numpy(model.spectrogram.offline(samples))[None]
        with torch.inference_mode():
            model.saved.network(mel)


def measure(path: Path, repeats: int) -> list[Section]:
    """Compare with a saved network."""
    torch.set_num_threads(1)
    model = load_model(path)
    rng = np.random.default_rng(0)
    music = (0.1 * rng.standard_normal(SECONDS * RATE)).astype(np.float32)
    steps = int(SECONDS / model.step_seconds)
    latencies: list[float] = []
    times = in_turn(
        {
            "streaming": lambda: latencies.append(
                float(np.quantile(streaming(model, music), 0.95))
            ),
            "anew": lambda: anew(model, music, steps),
        },
        repeats,
    )
    share = 100 * times["streaming"] / SECONDS
    again = times["anew"] / times["streaming"]
    rows = {
        "work for a step, % of the music that it covers": spread(share),
        "last samples of a step to its verdict, 95th percentile, ms": spread(
            1e3 * np.array(latencies[1:]), 1
        ),
        f"last {WINDOW:g} s anew, × streaming": spread(again, 1),
    }
    title = model.saved.facts["title"]
    return [
        Section(
            "Streaming",
            f"The {title}, {model.step_seconds:.2f} s a step, 44.1 kHz in pieces of 10 ms, one "
            f"core, against hearing the last {WINDOW:g} s anew at each step.",
            [{"what": name, "value": value} for name, value in rows.items()],
            {f"a step: last {WINDOW:g} s anew": again},
        )
    ]
