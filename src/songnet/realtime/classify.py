"""Classification of audio files, through the engine that classifies music as it plays."""

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from songnet.defaults import EXCERPT_SECONDS
from songnet.errors import SongNetError, UnusableClipError
from songnet.formatting import listed, percent
from songnet.parallel import in_order
from songnet.realtime.installed import installed, trained
from songnet.realtime.outputs import of_middle, of_whole
from songnet.realtime.results import Classification, predict
from songnet.realtime.stream import Model, load_model

SMOOTHING_SECONDS = 5.0  # of the timeline
SHORTEST_TURN_SECONDS = 1.0  # in it: times are shown in whole seconds
SYNTHETIC = "trained on synthetic music: this prediction means nothing"
NO_MUSIC = "no music: nothing above -80 dB"


def find_model(path: str | None) -> Model:
    """Load a network.

    Args:
        path: of a file of weights, or the name of a model that `songnet get` fetched; None for the
            newest that was trained here or,
            outside of the project's folder, by this user; of real music if there is one.

    Raises:
        SongNetError: there is none, or it cannot classify audio.
    """
    if path is not None:
        return load_model(installed(path))
    found = sorted(trained(), key=lambda p: -p.stat().st_mtime)
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


def classify_files(
    model: Model, files: Iterable[str], jobs: int, excerpt: float | None = EXCERPT_SECONDS
) -> Iterator[Classification]:
    """Classify files side by side; results come in the order of the files.

    Args:
        model: from `load_model`.
        files: their names.
        jobs: files at a time.
        excerpt: as `classify` takes it.
    """
    # The libraries at work release Python's lock, so threads do, one for each file.
    torch.set_num_threads(1)
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        yield from in_order(
            pool, partial(classify_file, model, excerpt=excerpt), files, ahead=4 * jobs
        )


def classify_file(
    model: Model, path: str, excerpt: float | None = EXCERPT_SECONDS
) -> Classification:
    """Classify one file; what is wrong with it becomes its ``error``."""
    try:
        with _open(path) as file:
            return classify(model, file, path, excerpt=excerpt)
    except (SongNetError, UnusableClipError) as error:
        return Classification(path, error=str(error))
    except OSError as error:
        return Classification(path, error=f"cannot be read: {error.strerror or error}")


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise SongNetError("no such file") from None
    except IsADirectoryError:
        raise SongNetError("a folder without audio files") from None
    except PermissionError:
        raise SongNetError("may not be read") from None


def classify(
    model: Model, file: BinaryIO, name: str, max_seconds: float = np.inf,
    excerpt: float | None = None,
) -> Classification:  # fmt: skip
    """Classify an open file.

    Args:
        model: from `load_model`.
        file: audio, seekable.
        name: of the result.
        max_seconds: longer files are refused, where the whole file is classified.
        excerpt: seconds from the middle that are classified; None for the whole file.

    Raises:
        SongNetError: too short for a step.
        UnusableClipError: as in `songnet.features.audio.decode_blocks`.
        OSError: the file cannot be read.
    """
    if excerpt is None:
        found = of_whole(model, file, max_seconds)
    else:
        found = of_middle(model, file, excerpt)
    facts = Classification(
        name,
        reason=NO_MUSIC if found.silent else "",
        seconds=found.total_seconds,
        start_seconds=found.start_seconds,
        classified_seconds=found.seconds,
        lost_seconds=found.lost_seconds,
    )
    if found.silent:
        return facts
    turns = timeline(found.step_probabilities, model)
    return replace(
        facts,
        prediction=predict(found.clip_probabilities, model.genres),
        probabilities=dict(zip(model.genres, found.clip_probabilities.tolist(), strict=True)),
        timeline=tuple((found.start_seconds + at, genre) for at, genre in turns),
        embedding=found.embedding,
    )


def timeline(probabilities: NDArray[np.float32], model: Model) -> list[tuple[float, str]]:
    """Where the music turns to which genre, by the mean over a few seconds around each step.

    Args:
        probabilities: (steps, C).
        model: that gave them.

    Returns:
        (seconds from the first step, genre).
    """
    smooth = smoothed(probabilities, max(1, round(SMOOTHING_SECONDS / model.step_seconds)))
    likeliest = smooth.argmax(axis=1)
    turns = np.flatnonzero(np.diff(likeliest, prepend=-1))
    lasts = np.diff(turns, append=len(likeliest)) * model.step_seconds >= SHORTEST_TURN_SECONDS
    found: list[tuple[float, str]] = []
    for i in turns[lasts] if lasts.any() else turns[:1]:
        genre = model.genres[likeliest[i]]
        if not found or found[-1][1] != genre:
            # Music before the first turn that lasts belongs to it.
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


def as_json(model: Model, results: list[Classification]) -> dict[str, Any]:
    """Everything about the files and the network, for ``--json``."""
    return {"model": about(model), "files": [as_row(result) for result in results]}


def as_row(result: Classification) -> dict[str, Any]:
    """One file as JSON has it."""
    return result.to_dict()


def about(model: Model) -> dict[str, Any]:
    """What the network is, what it was trained on, and how well it did."""
    names = ["model", "title", "dataset", "dataset_title", "note", "protocol", "seed", "key",
             "pretrained"]  # fmt: skip
    return {name: model.facts.get(name) for name in names} | {
        "genres": model.genres,
        "measured": model.facts.get("measured"),
        "caution": caution(model),
        "reads_metadata": model.saved.network.reads_metadata,
        "step_seconds": model.step_seconds,
        "lookahead_seconds": model.lookahead_seconds,
    }


def description(model: Model) -> str:
    """Say the same in sentences, and what the accuracy was measured on."""
    facts = model.facts
    text = f"{facts.get('title') or facts['model']}"
    if facts.get("dataset"):
        text += f", trained on {facts.get('dataset_title') or facts['dataset']} "
        text += f"({facts['protocol']} split)."
    else:
        text += f", not trained on genres: it groups its own tags to {listed(model.genres, 99)}, "
        text += "and other music gets one of these names, too."
    if facts.get("pretrained"):
        text += f" Pretrained on {facts['pretrained']}."
    if model.lookahead_seconds:
        text += f" A prediction waits for {model.lookahead_seconds:.1f} s of music after it."
    if measured := facts.get("measured"):
        share, low, high = (percent(measured[name]) for name in ("accuracy", "ci_low", "ci_high"))
        text += (
            f" Accuracy {share} on {measured['tracks']} {measured['subset']} tracks "
            f"(95 % interval over artists {low} to {high})."
        )
        if measured["subset"] != "test":
            text += " These tracks also chose the network, so accuracy on new music may be lower."
        if model.saved.network.reads_metadata:
            text += " It also read their metadata, which files do not give it."
    return f"{text} {facts['note']}" if facts.get("note") else text


def caution(model: Model) -> str:
    """What belongs beside each prediction of a network that knows no real music; else empty."""
    return SYNTHETIC if model.facts.get("synthetic") else ""
