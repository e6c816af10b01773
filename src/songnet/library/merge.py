"""What is new, what is left of earlier runs: lists and tables side by side, in the order of paths.

Nothing is held but the rows of one path, so memory does not grow with the library.
"""

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from songnet.errors import SongNetError
from songnet.library.columns import Row, other_sets, with_current
from songnet.library.scan import Found, absolute, sort_key

# How errors begin that another try may not meet: they say nothing of what a file holds.
PASSING = ("no such file", "may not be read", "cannot be read")


class Side(NamedTuple):
    """What is known of one path."""

    found: Found | None  # by the scan
    old: Row | None  # of the table, with the current set's columns under plain names
    new: Row | None  # of journals, of this very file


def side_by_side(
    found: Iterable[Found], old: Iterable[Row], journals: Iterable[Iterable[Row]]
) -> Iterator[Side]:
    """Join lists of files that are in the order of paths.

    Args:
        found: by a scan.
        old: rows of the table.
        journals: of rows as workers or tables have them.
    """
    streams: list[Iterable[Any]] = [found, old, *journals]
    keyed = [_keyed(stream, place) for place, stream in enumerate(streams)]
    merged = heapq.merge(*keyed, key=lambda entry: entry[:2])
    for _, group in groupby(merged, key=lambda entry: entry[0]):
        items: dict[int, Any] = {place: item for _, place, item in group}
        rows = [items[place] for place in sorted(items) if place > 1]
        this = items.get(0)
        new = next((row for row in reversed(rows) if this and is_same(row, this)), None)
        yield Side(this, items.get(1), new)


def _keyed(items: Iterable[Any], place: int) -> Iterator[tuple[list[str], int, Any]]:
    """Let files and rows of one stream be compared with those of others."""
    for item in items:
        yield sort_key(item.path if isinstance(item, Found) else item["path"]), place, item


def is_same(row: Row, found: Found) -> bool:
    """Whether a row is of this very file, and not of one that had its name."""
    return bool(row["size"] == found.size and row["mtime"] == found.mtime)


def is_left(side: Side, current: str) -> bool:
    """Whether a file is still to be classified."""
    if side.found is None or side.new is not None:
        return False
    row = side.old
    if row is None or not is_same(row, side.found) or row.get("model") != current:
        return True
    return str(row["error"] or "").startswith(PASSING)


def merged_rows(sides: Iterable[Side], paths: list[str]) -> Iterator[Row]:
    """Rows of the new table: of all files that were found, and of those elsewhere.

    Args:
        sides: of `side_by_side`.
        paths: that were scanned.
    """
    for side in sides:
        if side.new is not None and side.found is not None:
            kept = side.old if side.old and is_same(side.old, side.found) else {}
            yield other_sets(kept) | side.new
        elif side.old is not None and not is_gone(side, paths):
            yield side.old


def is_gone(side: Side, paths: list[str]) -> bool:
    """Whether a row is of a file that a scan of some paths would have found, but did not."""
    if side.old is None or side.found is not None:
        return False
    return any(Path(side.old["path"]).is_relative_to(absolute(path)) for path in paths)


def current_rows(rows: Iterable[Row], current: str, path: Path) -> Iterator[Row]:
    """Rows of a table, whose columns of the current set have plain names.

    Raises:
        SongNetError: they are not in the order of their paths.
    """
    last = [""]
    for row in rows:
        key = sort_key(row["path"] or "")
        if key <= last:
            raise SongNetError(
                f"{path}: {row['path']} is not in the order of paths, or is repeated; sort the "
                "table as `songnet tag` wrote it, or name another one with -o"
            )
        last = key
        yield with_current(row, current)
