"""Cost and latency of the streaming engine, and of processing the last seconds again at each step.

Music is noise: the cost does not depend on the samples.
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
WINDOW = 10.0  # seconds that the other way processes again, as long as a crop in training
SECONDS = 40  # of music


def streaming(model: Model, music: NDArray[np.float32]) -> list[float]:
    """Stream all; return the seconds from the last piece of each step to its prediction."""
    stream = Stream(model, RATE)
    latencies = []
    for start in range(0, len(music), PIECE):
        before = time.perf_counter()
        if stream.push(music[start : start + PIECE]):
            latencies.append(time.perf_counter() - before)
    return latencies


def repeated(model: Model, music: NDArray[np.float32], steps: int) -> None:
    """Process the last seconds again, `steps` times."""
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
            "again": lambda: repeated(model, music, steps),
        },
        repeats,
    )
    share = 100 * times["streaming"] / SECONDS
    again = times["again"] / times["streaming"]
    rows = {
        "work for a step, % of the music that it covers": spread(share),
        "last samples of a step to its prediction, 95th percentile, ms": spread(
            1e3 * np.array(latencies[1:]), 1
        ),
        f"last {WINDOW:g} s again, × streaming": spread(again, 1),
    }
    title = model.saved.facts["title"]
    return [
        Section(
            "Streaming",
            f"The {title}, {model.step_seconds:.2f} s a step, 44.1 kHz in pieces of 10 ms, one "
            f"core, compared with processing the last {WINDOW:g} s again at each step.",
            [{"what": name, "value": value} for name, value in rows.items()],
            {f"a step: last {WINDOW:g} s again": again},
        )
    ]
