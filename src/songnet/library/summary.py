"""Summarise a library table: counts, unsure predictions, and tags that the model contradicts.

The table is read row by row; only counts and short lists are kept in memory.
"""

import heapq
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from songnet.errors import SongNetError
from songnet.library.columns import OF_GENRE, Row, genres_of
from songnet.library.table_files import read_columns, read_rows

LISTED = 200  # maximum number of files in a list
GROUPS = 50  # maximum number of folders or artists in a table
FACTS = [
    "path", "size", "mtime", "model", "duration", "artist", "title", "tag_genre", "error", "genre",
    "probability", "unsure",
]  # fmt: skip


@dataclass
class Group:
    """Counts of the files of a folder, of an artist, or of the library."""

    files: int = 0
    genres: Counter[str] = field(default_factory=Counter)  # sure predictions only
    unsure: int = 0
    errors: int = 0

    def add(self, row: Row) -> None:
        """Count a file."""
        self.files += 1
        if row["genre"] is None:
            self.errors += 1
        elif row["unsure"]:
            self.unsure += 1
        else:
            self.genres[row["genre"]] += 1

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the genres among sure predictions."""
        total = max(1, sum(self.genres.values()))
        return {genre: count / total for genre, count in sorted(self.genres.items())}


class Smallest:
    """Keeps the items of a stream with the smallest keys."""

    def __init__(self, capacity: int) -> None:
        self._capacity, self._heap, self.count = capacity, list[tuple[float, int, Any]](), 0

    def add(self, key: float, item: Any) -> None:
        """Add an item if its key is among the smallest."""
        self.count += 1
        entry = (-key, -self.count, item)
        if len(self._heap) < self._capacity:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def items(self) -> list[Any]:
        """Return the items sorted by key."""
        return [item for _, _, item in sorted(self._heap, key=lambda entry: (-entry[0], -entry[1]))]


@dataclass
class Summary:
    """Contents of the report page of a library."""

    root: str
    genres: list[str]
    min_confidence: float
    total: Group = field(default_factory=Group)
    seconds: float = 0.0
    model: str = ""
    others: int = 0  # files that this model did not classify
    folders: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))
    artists: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))
    tags: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))  # in their spelling
    errors: Counter[str] = field(default_factory=Counter)
    unsure: Smallest = field(default_factory=lambda: Smallest(LISTED))
    audit: Smallest = field(default_factory=lambda: Smallest(LISTED))

    def add(self, row: Row) -> None:
        """Count a file; rows of other models only count as such."""
        if row["model"] is None:
            self.others += 1
            return
        self.total.add(row)
        self.model = self.model or row["model"]
        self.seconds += row["duration"] or 0
        self.folders[self._folder(row["path"])].add(row)
        if row["artist"]:
            self.artists[row["artist"]].add(row)
        if row["tag_genre"]:
            self.tags[row["tag_genre"]].add(row)
        if row["error"]:
            self.errors[re.sub(r"\d[\d.]*", "…", row["error"])] += 1
        elif row["unsure"]:
            self.unsure.add(row["probability"], row)
        elif row["probability"] >= self.min_confidence and self.contradicts(row):
            self.audit.add(-row["probability"], row)

    def _folder(self, path: str) -> str:
        inside = Path(path).relative_to(self.root).parts
        return inside[0] if len(inside) > 1 else "."

    def contradicts(self, row: Row) -> bool:
        """Return whether the tag names a genre of the model that differs from the prediction."""
        tag = self.known(row["tag_genre"])
        return tag is not None and tag != row["genre"]

    def known(self, tag: str | None) -> str | None:
        """Return the genre of the model that a tag names, or None."""
        return {key(genre): genre for genre in self.genres}.get(key(tag or ""))


def key(genre: str) -> str:
    """Reduce a genre to its letters and digits, so that Hip Hop and hip-hop are the same."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", genre).casefold())


def summarise(table: Path, min_confidence: float) -> Summary:
    """Summarise a table.

    Args:
        table: table of a library.
        min_confidence: minimum probability of the predictions that tags are compared with.

    Raises:
        SongNetError: the table cannot be read, or is empty.
    """
    folder = None
    for row in read_rows(table, ["path", "size", "mtime", "model"]):
        parent = str(Path(row["path"]).parent)
        folder = parent if folder is None else os.path.commonpath([folder, parent])
    if folder is None:
        raise SongNetError(f"{table}: has no rows")
    genres = genres_of(read_columns(table))
    summary = Summary(folder, genres, min_confidence)
    for row in read_rows(table, [*FACTS, *(OF_GENRE + genre for genre in genres)]):
        summary.add(row)
    return summary


def largest(groups: dict[str, Group], limit: int = GROUPS) -> list[tuple[str, Group]]:
    """Return the groups with the most files, the largest first."""
    return heapq.nsmallest(limit, groups.items(), key=lambda item: (-item[1].files, item[0]))


def agreement(summary: Summary) -> list[dict[str, Any]]:
    """Count, for each genre in tags, the files with a sure prediction and those that agree.

    Returns:
        Rows with tag, files, agreeing, and others (a Counter of the other predictions).
    """
    by_genre: dict[str, Group] = defaultdict(Group)
    for tag, group in summary.tags.items():
        if (genre := summary.known(tag)) is not None:
            by_genre[genre].genres.update(group.genres)
    return [
        {
            "tag": genre,
            "files": sum(group.genres.values()),
            "agreeing": group.genres[genre],
            "others": Counter({k: n for k, n in group.genres.items() if k != genre}),
        }
        for genre, group in sorted(by_genre.items())
        if group.genres
    ]


def two_likeliest(row: Row, genres: Iterable[str]) -> list[tuple[str, float]]:
    """Return the two most likely genres of a file, with their probabilities."""
    shares = ((genre, row[OF_GENRE + genre] or 0.0) for genre in genres)
    return heapq.nlargest(2, shares, key=lambda item: item[1])
