"""Merge file lists, tables and journals by path, to see which files are new or unchanged.

All inputs are sorted by path, and only the rows of one path are held at a time, so memory does not
grow with the library.
"""

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from songnet.errors import SongNetError
from songnet.library.columns import Row, other_sets, with_current
from songnet.library.journal import CRASHED
from songnet.library.scan import Found, absolute, sort_key

# Prefixes of errors that may not recur: not caused by a file's content, or mended since.
PASSING = ("no such file", "may not be read", "cannot be read", "unexpected", CRASHED)


class Side(NamedTuple):
    """Everything known about one path."""

    found: Found | None  # file found by the scan
    old: Row | None  # row of the table, with plain names for the current set
    new: Row | None  # row of the journals for this version of the file, or for one not scanned


def side_by_side(
    found: Iterable[Found], old: Iterable[Row], journals: Iterable[Iterable[Row]]
) -> Iterator[Side]:
    """Merge inputs that are sorted by path.

    Args:
        found: files found by a scan.
        old: rows of the table.
        journals: rows of each journal, in the form of workers or of tables.
    """
    streams: list[Iterable[Any]] = [found, old, *journals]
    keyed = [_keyed(stream, place) for place, stream in enumerate(streams)]
    merged = heapq.merge(*keyed, key=lambda entry: entry[:2])
    for _, group in groupby(merged, key=lambda entry: entry[0]):
        items: dict[int, Any] = {place: item for _, place, item in group}
        rows = [items[place] for place in sorted(items) if place > 1]
        this = items.get(0)
        new = next((row for row in reversed(rows) if not this or is_same(row, this)), None)
        yield Side(this, items.get(1), new)


def _keyed(items: Iterable[Any], place: int) -> Iterator[tuple[list[str], int, Any]]:
    """Add sort keys to the files or rows of one stream."""
    for item in items:
        yield sort_key(item.path if isinstance(item, Found) else item["path"]), place, item


def is_same(row: Row, found: Found) -> bool:
    """Return whether a row belongs to this version of a file, by size and modification time."""
    return bool(row["size"] == found.size and row["mtime"] == found.mtime)


def is_left(side: Side, current: str) -> bool:
    """Return whether a file still has to be classified."""
    if side.found is None or side.new is not None:
        return False
    row = side.old
    if row is None or not is_same(row, side.found) or row.get("model") != current:
        return True
    return str(row["error"] or "").startswith(PASSING)


def merged_rows(sides: Iterable[Side], roots: list[str]) -> Iterator[Row]:
    """Yield the rows of the new table: all files found, and old rows outside the scanned folders.

    Args:
        sides: output of `side_by_side`.
        roots: files and folders that were scanned. Journals may have rows elsewhere, of an earlier,
            killed run.
    """
    for side in sides:
        old, new = side.old, side.new
        if side.found is None and _is_below(new or old, roots):
            continue  # the file no longer exists
        is_same_version = old and new and _version(old) == _version(new)
        if old and (new is None or not (side.found or is_same_version)):
            yield old  # of a file not scanned, whose version in the journals may be an older one
        elif new:
            yield other_sets(old if old and is_same_version else {}) | new


def is_gone(side: Side, roots: list[str]) -> bool:
    """Return whether a table's row is of a file below the scanned folders that no longer exists."""
    return side.old is not None and side.found is None and _is_below(side.old, roots)


def _is_below(row: Row | None, roots: list[str]) -> bool:
    return row is not None and any(
        Path(row["path"]).is_relative_to(absolute(root)) for root in roots
    )


def _version(row: Row) -> tuple[int, float]:
    return row["size"], row["mtime"]


def current_rows(rows: Iterable[Row], current: str, path: Path) -> Iterator[Row]:
    """Yield the rows of a table, with plain names for the columns of the current set.

    Raises:
        SongNetError: the rows are not sorted by path.
    """
    last = [""]
    for row in rows:
        key = sort_key(row["path"] or "")
        if key <= last:
            raise SongNetError(
                f"{path}: {row['path']} is repeated or not sorted by path; sort the table as "
                "`songnet tag` wrote it, or choose another one with -o"
            )
        last = key
        yield with_current(row, current)
