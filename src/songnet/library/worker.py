"""A process that classifies files: it reads files from standard input and answers in JSON lines.

It ends when its parent ends or is killed, because its input ends then. A decoder that crashes only
ends this process.
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
    """Describe the model, then classify the files on standard input.

    Args:
        model_path: path of the model's weights; empty for the model that `songnet.load` finds.
        excerpt: length of the excerpts in seconds; empty for whole files.
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
    # Output of C libraries must not mix with the answers.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    seconds = float(excerpt) if excerpt else None
    answers.write(json.dumps(describe(model, seconds)) + "\n")
    answer(model, seconds, sys.stdin, answers)


def answer(model: Any, excerpt: float | None, questions: IO[str], answers: IO[str]) -> None:
    """Write a row for each file in the questions."""
    for line in questions:
        answers.write(to_line(row_of(model, Found(*json.loads(line)), excerpt)) + "\n")


def describe(model: Any, excerpt: float | None) -> dict[str, Any]:
    """Describe a model: its path, column set, genres, facts and a sentence for people."""
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
    except Exception as error:  # a bug in SongNet must not stop the whole library
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
    except Exception:  # mutagen raises arbitrary exceptions for some damaged tags
        return Tags()


def _short(value: float) -> float:
    """Round a number to the fewest digits that identify its float32 value."""
    return float(str(np.float32(value)))


if __name__ == "__main__":
    main(*sys.argv[1:])
