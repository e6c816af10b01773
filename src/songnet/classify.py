"""Classification of audio files, through the engine that hears music as it plays."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile as sf
import torch
from numpy.typing import NDArray

from songnet.audio import Clip, decode_blocks, undecodable
from songnet.errors import SongNetError, UnusableClipError
from songnet.realtime import Model, Step, Stream, Verdict, load_model, verdict
from songnet.text import percent

BLOCK_SECONDS = 10  # decoded at a time, so that memory does not grow with the length
SMOOTHING_SECONDS = 5.0  # of the timeline


class Classified(NamedTuple):
    """What one file is, or what is wrong with it."""

    file: str
    error: str = ""
    seconds: float = 0.0
    verdict: Verdict | None = None
    probabilities: dict[str, float] | None = None  # of the whole file
    timeline: tuple[tuple[float, str], ...] = ()  # (seconds, genre) where the music turns to it


def find_model(path: str | None) -> Model:
    """Load a network.

    Args:
        path: of a file of weights; None for the newest that `choose_network` kept below
            ``results/``, of real music if there is one.

    Raises:
        SongNetError: there is none, or it cannot hear.
    """
    if path is not None:
        return load_model(path)
    found = sorted(Path("results").glob("*/best.safetensors"), key=lambda p: -p.stat().st_mtime)
    problems = []
    for candidate in sorted(found, key=lambda p: p.parent.name == "demo"):
        try:
            model = load_model(candidate)
        except SongNetError as error:
            problems.append(str(error))
            continue
        for problem in problems:
            print(f"songnet: warning: {problem}; {candidate} is taken instead", file=sys.stderr)
        return model
    missing = "no network below results/: train one with `make run`, or name one with --model"
    raise SongNetError(problems[0] if problems else missing)


def classify_files(model: Model, files: list[str], jobs: int) -> Iterator[Classified]:
    """Classify files side by side; results come in the order of the files."""
    # The libraries at work release Python's lock, so threads do, one for each file.
    torch.set_num_threads(1)
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        yield from pool.map(lambda file: classify_file(model, file), files)


def classify_file(model: Model, file: str, max_seconds: float = np.inf) -> Classified:
    """Classify one file; what is wrong with it becomes its ``error``."""
    try:
        steps, seconds = _hear(model, file, max_seconds)
    except (SongNetError, UnusableClipError) as error:
        return Classified(file, error=str(error))
    so_far = steps[-1].so_far
    return Classified(
        file,
        seconds=seconds,
        verdict=verdict(so_far, model.genres),
        probabilities=dict(zip(model.genres, so_far.tolist(), strict=True)),
        timeline=tuple(timeline(steps, model)),
    )


def _hear(model: Model, file: str, max_seconds: float) -> tuple[list[Step], float]:
    """All steps of a file, without their spectrograms, and its length in seconds."""
    stream: Stream | None = None
    steps: list[Step] = []
    seconds = 0.0
    for clip in _decoded(file, max_seconds):
        if not np.isfinite(clip.samples).all():
            raise SongNetError("samples that are not finite")
        seconds += clip.seconds
        stream = stream or Stream(model, clip.sample_rate)
        steps += [_without_mel(step) for step in stream.push(clip.samples)]
    if stream is not None:
        steps += [_without_mel(step) for step in stream.finish()]
    if not steps:
        raise SongNetError(f"too short: {seconds:.2f} s, a step is {model.step_seconds:.2f} s")
    return steps, seconds


def _decoded(file: str, max_seconds: float) -> Iterator[Clip]:
    """Parts of a file, which is blamed for no error of what is done with them."""
    try:
        yield from decode_blocks(file, BLOCK_SECONDS, max_seconds)
    except (sf.LibsndfileError, OSError, RuntimeError) as error:
        raise SongNetError(_problem(file, error)) from None


def _problem(file: str, error: Exception) -> str:
    path = Path(file)
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "a folder, not a file"
    if isinstance(error, PermissionError):
        return "may not be read"
    if not path.stat().st_size:
        return "empty file"
    return undecodable(error)


def _without_mel(step: Step) -> Step:
    return step._replace(mel=np.empty((0, 0), np.float32))


def timeline(steps: list[Step], model: Model) -> list[tuple[float, str]]:
    """Where the music turns to which genre, by the mean over a few seconds around each step."""
    now = np.array([step.now for step in steps])
    smooth = smoothed(now, max(1, round(SMOOTHING_SECONDS / model.step_seconds)))
    likeliest = smooth.argmax(axis=1)
    turns = np.flatnonzero(np.diff(likeliest, prepend=-1))
    return [(float(i * model.step_seconds), model.genres[likeliest[i]]) for i in turns]


def smoothed(now: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """Centred moving average over time of (n, C), shorter at the ends."""
    sums = np.concatenate([np.zeros((1, now.shape[1])), np.cumsum(now, axis=0, dtype=np.float64)])
    at = np.arange(len(now))
    low, high = np.maximum(at - steps // 2, 0), np.minimum(at + (steps - 1) // 2 + 1, len(now))
    return ((sums[high] - sums[low]) / (high - low)[:, None]).astype(np.float32)


def as_json(model: Model, results: list[Classified]) -> dict[str, Any]:
    """Everything about the files and the network, for ``--json``."""
    rows = []
    for result in results:
        row: dict[str, Any] = {"file": result.file}
        if result.verdict is None:
            row["error"] = result.error
        else:
            row |= {
                "seconds": round(result.seconds, 3),
                "verdict": result.verdict.genre,
                "unsure": result.verdict.unsure,
                "probabilities": result.probabilities,
                "timeline": [
                    {"seconds": round(at, 2), "genre": genre} for at, genre in result.timeline
                ],
            }
        rows.append(row)
    return {"model": about(model), "files": rows}


def about(model: Model) -> dict[str, Any]:
    """What the network is, what it was trained on, and how well it did."""
    names = ["model", "title", "dataset", "dataset_title", "note", "protocol", "seed", "key"]
    return {name: model.facts.get(name) for name in names} | {
        "genres": model.genres,
        "measured": model.facts.get("measured"),
        "reads_metadata": model.saved.network.reads_metadata,
        "step_seconds": model.step_seconds,
    }


def description(model: Model) -> str:
    """Say the same in sentences, and what the accuracy was measured on."""
    facts = model.facts
    text = f"{facts.get('title') or facts['model']}, trained on "
    text += f"{facts.get('dataset_title') or facts['dataset']} ({facts['protocol']} split)."
    if measured := facts.get("measured"):
        share, low, high = (percent(measured[name]) for name in ("accuracy", "ci_low", "ci_high"))
        text += (
            f" Right on {share} of {measured['tracks']} tracks of the {measured['part']} "
            f"part, interval over artists {low} to {high}."
        )
        if measured["part"] != "test":
            text += " They chose the network, so new music may fare worse."
        if model.saved.network.reads_metadata:
            text += " It knew their metadata; of music that it is given to hear, it knows none."
    return f"{text} {facts['note']}" if facts.get("note") else text
