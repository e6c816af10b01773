"""A process that classifies files: paths on its standard input, a line of JSON back for each.

It ends with its parent, even if that is killed, since its input ends then. A decoder that crashes
takes this process alone with it.
"""

import json
import os
import sys
from typing import IO, Any

import numpy as np

from songnet.data.file_tags import Tags, read_tags
from songnet.errors import SongNetError
from songnet.library.columns import Row, set_name
from songnet.library.journal import to_line
from songnet.library.scan import Found


def main(model_path: str, excerpt: str) -> None:
    """Describe the model, then answer for each file of the standard input.

    Args:
        model_path: file of weights; empty for the one that `songnet.load` finds.
        excerpt: seconds; empty for whole files.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    try:
        import torch

        import songnet

        model = songnet.load(model_path or None)
        torch.set_num_threads(1)
    except SongNetError as error:
        answers.write(json.dumps({"error": str(error)}) + "\n")
        return
    # What C libraries print must not come between the answers.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    seconds = float(excerpt) if excerpt else None
    answers.write(json.dumps(describe(model, seconds)) + "\n")
    answer(model, seconds, sys.stdin, answers)


def answer(model: Any, excerpt: float | None, questions: IO[str], answers: IO[str]) -> None:
    """Write a row for each file that is asked for."""
    for line in questions:
        answers.write(to_line(row_of(model, Found(*json.loads(line)), excerpt)) + "\n")


def describe(model: Any, excerpt: float | None) -> dict[str, Any]:
    """What others must know of the model: file, name of its column set, genres, a description."""
    from songnet.realtime.classify import about, description

    facts = about(model)
    return {
        "path": str(model.path),
        "set": set_name(facts["model"], model.digest, excerpt),
        "genres": model.genres,
        "about": facts,
        "description": description(model),
    }


def row_of(model: Any, found: Found, excerpt: float | None) -> Row:
    """Classify a file and read its tags."""
    from songnet.realtime.classify import classify_file
    from songnet.realtime.results import Classification

    try:
        result = classify_file(model, found.path, excerpt)
    except Exception as error:  # a defect of ours: it stops no library
        result = Classification(found.path, error=f"unexpected: {type(error).__name__}: {error}")
    tags = _tags(found.path)
    shares = result.probabilities
    return found._asdict() | {
        "duration": round(result.seconds, 3) if not result.error else None,
        "artist": tags.artist,
        "title": tags.title,
        "tag_genre": tags.genre,
        "error": result.error or result.reason or None,
        "genre": result.genre,
        "probability": result.prediction and _short(result.prediction.probability),
        "unsure": result.unsure,
        "probabilities": shares and [_short(share) for share in shares.values()],
        "embedding": result.embedding,
    }


def _tags(path: str) -> Tags:
    try:
        return read_tags(path)
    except Exception:  # tags may be damaged in ways that no reader foresees
        return Tags()


def _short(value: float) -> float:
    """Fewest digits that stand for a number of single precision."""
    return float(str(np.float32(value)))


if __name__ == "__main__":
    main(*sys.argv[1:])
