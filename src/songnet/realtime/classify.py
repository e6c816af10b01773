"""Classification of audio files, through the engine that classifies music as it plays."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from songnet.errors import SongNetError, UnusableClipError
from songnet.features.audio import decode_blocks
from songnet.formatting import percent
from songnet.realtime.stream import Model, Prediction, Step, Stream, load_model, predict

SMOOTHING_SECONDS = 5.0  # of the timeline
SHORTEST_TURN_SECONDS = 1.0  # in it: times are shown in whole seconds
NO_MUSIC = "no music: nothing above -80 dB"


class Classified(NamedTuple):
    """What one file is, or what is wrong with it."""

    file: str
    error: str = ""
    seconds: float = 0.0
    lost_seconds: float = 0.0  # that could not be decoded
    reason: str = ""  # why a file that could be read has no prediction
    prediction: Prediction | None = None
    probabilities: dict[str, float] | None = None  # of the whole file
    timeline: tuple[tuple[float, str], ...] = ()  # (seconds, genre) where the music turns to it


def find_model(path: str | None) -> Model:
    """Load a network.

    Args:
        path: of a file of weights; None for the newest that `choose_network` kept below
            ``results/``, of real music if there is one.

    Raises:
        SongNetError: there is none, or it cannot classify audio.
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


def classify_file(model: Model, path: str) -> Classified:
    """Classify one file; what is wrong with it becomes its ``error``."""
    try:
        with _open(path) as file:
            return classify(model, file, path)
    except (SongNetError, UnusableClipError) as error:
        return Classified(path, error=str(error))
    except OSError as error:
        return Classified(path, error=f"cannot be read: {error.strerror or error}")


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise SongNetError("no such file") from None
    except IsADirectoryError:
        raise SongNetError("a folder, not a file") from None
    except PermissionError:
        raise SongNetError("may not be read") from None


def classify(
    model: Model,
    file: BinaryIO,
    name: str,
    max_seconds: float = np.inf,
) -> Classified:
    """Classify an open file.

    Args:
        model: from `load_model`.
        file: audio, seekable.
        name: of the result.
        max_seconds: longer files are refused.

    Raises:
        SongNetError: too short for a step.
        UnusableClipError: as in `songnet.features.audio.decode_blocks`.
        OSError: the file cannot be read.
    """
    stream: Stream | None = None
    steps: list[Step] = []
    count, lost = 0, 0.0
    for clip in decode_blocks(file, max_seconds):
        stream = stream or Stream(model, clip.sample_rate)
        steps += [_without_spectrogram(step) for step in stream.push(clip.samples)]
        count += len(clip.samples)
        lost += clip.lost_seconds
    seconds = count / clip.sample_rate
    if stream is not None:
        steps += [_without_spectrogram(step) for step in stream.finish()]
    if not steps:
        raise SongNetError(f"too short: {seconds:.2f} s, a step is {model.step_seconds:.2f} s")
    if steps[-1].silent:
        return Classified(name, seconds=seconds, lost_seconds=lost, reason=NO_MUSIC)
    probabilities = steps[-1].clip_probabilities
    return Classified(
        name,
        seconds=seconds,
        lost_seconds=lost,
        prediction=predict(probabilities, model.genres),
        probabilities=dict(zip(model.genres, probabilities.tolist(), strict=True)),
        timeline=tuple(timeline(steps, model)),
    )


def _without_spectrogram(step: Step) -> Step:
    return step._replace(spectrogram=np.empty((0, 0), np.float32))


def timeline(steps: list[Step], model: Model) -> list[tuple[float, str]]:
    """Where the music turns to which genre, by the mean over a few seconds around each step."""
    probabilities = np.array([step.step_probabilities for step in steps])
    smooth = smoothed(probabilities, max(1, round(SMOOTHING_SECONDS / model.step_seconds)))
    likeliest = smooth.argmax(axis=1)
    turns = np.flatnonzero(np.diff(likeliest, prepend=-1))
    lasts = np.diff(turns, append=len(likeliest)) * model.step_seconds >= SHORTEST_TURN_SECONDS
    found: list[tuple[float, str]] = []
    for i in turns[lasts] if lasts.any() else turns[:1]:
        genre = model.genres[likeliest[i]]
        if not found or found[-1][1] != genre:
            # What is heard before the first turn that lasts belongs to it.
            found.append((float(i * model.step_seconds) if found else 0.0, genre))
    return found


def smoothed(values: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """Centred moving average over time of (n, C), shorter at the ends."""
    sums = np.concatenate(
        [np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)]
    )
    at = np.arange(len(values))
    low, high = np.maximum(at - steps // 2, 0), np.minimum(at + (steps - 1) // 2 + 1, len(values))
    return ((sums[high] - sums[low]) / (high - low)[:, None]).astype(np.float32)


def as_json(model: Model, results: list[Classified]) -> dict[str, Any]:
    """Everything about the files and the network, for ``--json``."""
    return {"model": about(model), "files": [as_row(result) for result in results]}


def as_row(result: Classified) -> dict[str, Any]:
    """One file as JSON has it."""
    if result.error:
        return {"file": result.file, "error": result.error}
    return {
        "file": result.file,
        "seconds": round(result.seconds, 3),
        "lost_seconds": round(result.lost_seconds, 3),
        "prediction": result.prediction.genre if result.prediction else None,
        "unsure": result.prediction.unsure if result.prediction else True,
        "reason": result.reason,
        "probabilities": result.probabilities,
        "timeline": [{"seconds": round(at, 2), "genre": genre} for at, genre in result.timeline],
    }


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
            f" Right on {share} of {measured['tracks']} tracks of the {measured['subset']} "
            f"subset, interval over artists {low} to {high}."
        )
        if measured["subset"] != "test":
            text += " They chose the network, so new music may fare worse."
        if model.saved.network.reads_metadata:
            text += " It also read their metadata, which files do not give it."
    return f"{text} {facts['note']}" if facts.get("note") else text
