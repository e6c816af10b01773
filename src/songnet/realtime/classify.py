"""Classification of audio files with the streaming engine."""

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

SMOOTHING_SECONDS = 5.0  # window of the timeline
SHORTEST_TURN_SECONDS = 1.0  # shortest segment of the timeline, whose times are whole seconds
SYNTHETIC = "trained on synthetic music: this prediction is meaningless"
NO_MUSIC = "no music: nothing above -80 dB"


def find_model(path: str | None) -> Model:
    """Load a network.

    Args:
        path: weights file, or the name of a model downloaded by `songnet get`. None loads the
            newest network in `results/` or, if there is none, the last one trained by this user;
            networks trained on real music come first.

    Raises:
        SongNetError: no network is found, or it cannot classify audio.
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
            print(f"songnet: warning: {problem}; using {candidate} instead", file=sys.stderr)
        return model
    missing = "no network below results/; train one with `make run`, or name one with --model"
    raise SongNetError(problems[0] if problems else missing)


def classify_files(
    model: Model, files: Iterable[str], jobs: int, excerpt: float | None = EXCERPT_SECONDS
) -> Iterator[Classification]:
    """Classify files in parallel; results are in the order of the files.

    Args:
        model: from `load_model`.
        files: paths.
        jobs: number of files to process in parallel.
        excerpt: as in `classify`.
    """
    # Threads suffice, since the libraries release the GIL.
    torch.set_num_threads(1)
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        yield from in_order(
            pool, partial(classify_file, model, excerpt=excerpt), files, ahead=4 * jobs
        )


def classify_file(
    model: Model, path: str, excerpt: float | None = EXCERPT_SECONDS
) -> Classification:
    """Classify one file; problems with the file are returned as ``error``."""
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
        file: seekable audio file.
        name: file name in the result.
        max_seconds: length limit if the whole file is classified.
        excerpt: length of the excerpt classified from the middle, seconds; None for the whole file.

    Raises:
        SongNetError: the file is shorter than one step.
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
    """Segment the music by predicted genre, from smoothed probabilities.

    Args:
        probabilities: step probabilities (steps, C).
        model: model that predicted them.

    Returns:
        Start of each segment, in seconds from the first step, and its genre.
    """
    smooth = smoothed(probabilities, max(1, round(SMOOTHING_SECONDS / model.step_seconds)))
    likeliest = smooth.argmax(axis=1)
    turns = np.flatnonzero(np.diff(likeliest, prepend=-1))
    lasts = np.diff(turns, append=len(likeliest)) * model.step_seconds >= SHORTEST_TURN_SECONDS
    found: list[tuple[float, str]] = []
    for i in turns[lasts] if lasts.any() else turns[:1]:
        genre = model.genres[likeliest[i]]
        if not found or found[-1][1] != genre:
            # The first segment also covers shorter ones before it.
            found.append((float(i * model.step_seconds) if found else 0.0, genre))
    return found


def smoothed(values: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """Compute the centred moving average over time of (n, C), with shorter windows at the ends."""
    sums = np.concatenate(
        [np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)]
    )
    at = np.arange(len(values))
    low, high = np.maximum(at - steps // 2, 0), np.minimum(at + (steps - 1) // 2 + 1, len(values))
    return ((sums[high] - sums[low]) / (high - low)[:, None]).astype(np.float32)


def as_json(model: Model, results: list[Classification]) -> dict[str, Any]:
    """Return the network and all results as in ``--json``."""
    return {"model": about(model), "files": [as_row(result) for result in results]}


def as_row(result: Classification) -> dict[str, Any]:
    """Return one result as in ``--json``."""
    return result.to_dict()


def about(model: Model) -> dict[str, Any]:
    """Return the network's title, training data, accuracy and properties."""
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
    """Describe the network, its training data and its accuracy in sentences."""
    facts = model.facts
    text = f"{facts.get('title') or facts['model']}"
    if facts.get("dataset"):
        text += f", trained on {facts.get('dataset_title') or facts['dataset']} "
        text += f"({facts['protocol']} split)."
    else:
        text += f", not trained on genres: it maps its own tags to {listed(model.genres, 99)}. "
        text += "Music of other genres is also assigned to one of these."
    if facts.get("pretrained"):
        text += f" Pretrained on {facts['pretrained']}."
    if model.lookahead_seconds:
        text += f" Predictions need {model.lookahead_seconds:.1f} s of look-ahead."
    if measured := facts.get("measured"):
        share, low, high = (percent(measured[name]) for name in ("accuracy", "ci_low", "ci_high"))
        level = 100 * measured.get("confidence", 0.95)  # networks of 0.1.0 do not say
        text += (
            f" Accuracy {share} on {measured['tracks']} {measured['subset']} tracks "
            f"({level:g} % CI over artists: {low} to {high})."
        )
        if measured["subset"] != "test":
            text += " The network was selected on these tracks, so this estimate is optimistic."
        if model.saved.network.reads_metadata:
            text += " The evaluation also used metadata, which is not available for files."
    return f"{text} {facts['note']}" if facts.get("note") else text


def caution(model: Model) -> str:
    """Return the warning shown with each prediction of a network trained on synthetic music."""
    return SYNTHETIC if model.facts.get("synthetic") else ""
