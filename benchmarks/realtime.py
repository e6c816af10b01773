"""Cost and latency of streaming, compared with reprocessing the last seconds at each step.

The input is noise, since the cost does not depend on the samples.
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
PIECE = 441  # samples: 10 ms, a typical buffer of a sound card
WINDOW = 10.0  # seconds that the alternative reprocesses, the length of a training crop
SECONDS = 40  # of music


def streaming(model: Model, music: NDArray[np.float32]) -> list[float]:
    """Stream the music; return the seconds from the last samples of each step to its prediction."""
    stream = Stream(model, RATE)
    latencies = []
    for start in range(0, len(music), PIECE):
        before = time.perf_counter()
        if stream.push(music[start : start + PIECE]):
            latencies.append(time.perf_counter() - before)
    return latencies


def repeated(model: Model, music: NDArray[np.float32], steps: int) -> None:
    """Reprocess the last seconds, `steps` times."""
    size = int(WINDOW * RATE)
    for end in np.linspace(size, len(music), steps).astype(int):
        samples = resample(Clip(music[end - size : end], RATE, 1), model.spectrogram.sample_rate)
        mel = torch.from_numpy(model.spectrogram.offline(samples))[None]
        with torch.inference_mode():
            model.saved.network(mel)


def measure(path: Path, repeats: int) -> list[Section]:
    """Compare both methods with a saved network."""
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
        "CPU time, % of the music's duration": spread(share),
        "latency from the last samples to the prediction, 95th percentile, ms": spread(
            1e3 * np.array(latencies[1:]), 1
        ),
        f"reprocessing the last {WINDOW:g} s, × streaming": spread(again, 1),
    }
    title = model.saved.facts["title"]
    return [
        Section(
            "Streaming",
            f"The {title}, {model.step_seconds:.2f} s per step, 44.1 kHz in chunks of 10 ms, one "
            f"core, compared with reprocessing the last {WINDOW:g} s at each step.",
            [{"what": name, "value": value} for name, value in rows.items()],
            {f"streaming: reprocessing {WINDOW:g} s": again},
        )
    ]
