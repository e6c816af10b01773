"""Columns of a library's table: facts of the files, and a set of columns for each model.

The set of the latest model has plain names. Those of other models have the name of their set before
a colon, so that results of two models never stand in one column.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
FACTS = ["path", "size", "mtime", "duration", "artist", "title", "tag_genre", "error"]
OF_GENRE = "p_"  # before the name of a genre: the column of its probability
PLAIN = ["model", "genre", "probability", "unsure"]
EMBEDDING = "embedding"
SET = re.compile(r"^([\w-]+-[0-9a-f]{8}-(?:all|[\d.]+s)):(.+)", re.DOTALL)
INTEGERS, NUMBERS = {"size"}, {"mtime", "duration"}  # other kinds go by the name, too


@dataclass(frozen=True)
class ColumnSet:
    """Columns of one model on excerpts of one length."""

    name: str  # of the set, such as causal_crnn-1f2e3d4c-30s
    genres: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """Plain names."""
        return [*PLAIN, *(OF_GENRE + genre for genre in self.genres), EMBEDDING]


def set_name(model: str, digest: str, excerpt: float | None) -> str:
    """Name of the set of a model.

    Args:
        model: its short name.
        digest: eight hexadecimal digits that stand for its weights.
        excerpt: seconds; None for whole files.
    """
    return f"{model}-{digest}-{'all' if excerpt is None else f'{excerpt:g}s'}"


def excerpt_of(name: str) -> float | None:
    """Length of the excerpts of a set in seconds; None for whole files."""
    length = name.rpartition("-")[2]
    return None if length == "all" else float(length.removesuffix("s"))


def plain_name(column: str) -> str:
    """Name of a column without its set."""
    found = SET.match(column)
    return found.group(2) if found else column


def genres_of(columns: Iterable[str]) -> list[str]:
    """Genres of the latest model, by the names of columns."""
    return [name.removeprefix(OF_GENRE) for name in columns if name.startswith(OF_GENRE)]


def with_current(row: Row, current: str) -> Row:
    """Let the columns of one set have the plain names, and those of the others their set's."""
    own = row.get("model")
    if own == current:
        return row
    found: Row = {}
    for column, value in row.items():
        match = SET.match(column)
        if match and match.group(1) == current:
            found[match.group(2)] = value
        elif match or column in FACTS:
            found.setdefault(column, value)
        elif own:  # plain columns of another set
            found[f"{own}:{column}"] = value
    return found


def other_sets(row: Row) -> Row:
    """Columns of a row that belong to other sets than the plain one."""
    return {column: value for column, value in row.items() if SET.match(column)}


def rotated_columns(columns: Iterable[str], plain: Iterable[str], current: ColumnSet) -> list[str]:
    """Columns of other sets that a table has when the current set gets the plain names.

    Args:
        columns: of the table.
        plain: names of the sets whose columns have plain names in it.
        current: the set that gets them.
    """
    found: dict[str, None] = {}
    for column in columns:
        match = SET.match(column)
        names = [column] if match else [f"{name}:{column}" for name in sorted(plain)]
        if column not in FACTS:
            found |= dict.fromkeys(names)
    return [name for name in found if not name.startswith(f"{current.name}:")]


def all_columns(current: ColumnSet, others: list[str]) -> list[str]:
    """Columns of a table: facts, the current set, then the other sets, each together."""
    return [*FACTS, *current.columns, *sorted(others, key=lambda name: name.partition(":")[0])]
