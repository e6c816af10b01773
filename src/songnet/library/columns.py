"""Columns of a library table: facts about the files, and one set of columns per model.

The columns of the latest model have plain names. Columns of other models are prefixed with the name
of their set and a colon, so that results of two models never share a column.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
FACTS = ["path", "size", "mtime", "duration", "artist", "title", "tag_genre", "error"]
OF_GENRE = "p_"  # prefix of the columns with probabilities of genres
PLAIN = ["model", "genre", "probability", "unsure"]
EMBEDDING = "embedding"
SET = re.compile(r"^([\w-]+-[0-9a-f]{8}-(?:all|[\d.]+s)):(.+)", re.DOTALL)
INTEGERS, NUMBERS = {"size"}, {"mtime", "duration"}  # `table_files.kind` has the other types


@dataclass(frozen=True)
class ColumnSet:
    """Columns of one model on excerpts of one length."""

    name: str  # name of the set, such as causal_crnn-1f2e3d4c-30s
    genres: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """Plain names of the columns."""
        return [*PLAIN, *(OF_GENRE + genre for genre in self.genres), EMBEDDING]


def set_name(model: str, digest: str, excerpt: float | None) -> str:
    """Return the name of a model's column set.

    Args:
        model: short name of the model.
        digest: first eight hexadecimal digits of the checksum of its weights.
        excerpt: length of the excerpts in seconds; None for whole files.
    """
    return f"{model}-{digest}-{'all' if excerpt is None else f'{excerpt:g}s'}"


def excerpt_of(name: str) -> float | None:
    """Return the excerpt length of a set in seconds; None for whole files."""
    length = name.rpartition("-")[2]
    return None if length == "all" else float(length.removesuffix("s"))


def plain_name(column: str) -> str:
    """Return the name of a column without the prefix of its set."""
    match = SET.match(column)
    return match.group(2) if match else column


def genres_of(columns: Iterable[str]) -> list[str]:
    """Return the genres of the latest model, from the names of columns."""
    return [name.removeprefix(OF_GENRE) for name in columns if name.startswith(OF_GENRE)]


def with_current(row: Row, current: str) -> Row:
    """Give plain names to the columns of the current set, and prefixed names to all others."""
    own = row.get("model")
    if own == current:
        return row
    renamed: Row = {}
    for column, value in row.items():
        match = SET.match(column)
        if match and match.group(1) == current:
            renamed[match.group(2)] = value
        elif match or column in FACTS:
            renamed.setdefault(column, value)
        elif own:  # plain columns of another set
            renamed[f"{own}:{column}"] = value
    return renamed


def other_sets(row: Row) -> Row:
    """Return the prefixed columns of a row, which belong to other models."""
    return {column: value for column, value in row.items() if SET.match(column)}


def rotated_columns(columns: Iterable[str], plain: Iterable[str], current: ColumnSet) -> list[str]:
    """Return the prefixed columns of a table after the current set has taken the plain names.

    Args:
        columns: columns of the table.
        plain: names of the sets that have plain names in the table.
        current: set that takes the plain names.
    """
    prefixed: dict[str, None] = {}
    for column in columns:
        match = SET.match(column)
        names = [column] if match else [f"{name}:{column}" for name in sorted(plain)]
        if column not in FACTS:
            prefixed |= dict.fromkeys(names)
    return [name for name in prefixed if not name.startswith(f"{current.name}:")]


def all_columns(current: ColumnSet, others: list[str]) -> list[str]:
    """Return all columns in order: facts, the current set, then the other sets."""
    return [*FACTS, *current.columns, *sorted(others, key=lambda name: name.partition(":")[0])]
