"""Undo files: the old genres of files, saved to disk before each change."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from songnet.errors import NoSpaceError, SongNetError
from songnet.io import FULL, no_space, replacing
from songnet.library.genre_tags import has_tags, read_genres, write_genres


class Entry(NamedTuple):
    """One change of a file."""

    path: str
    old: list[str]  # genres before the change
    new: list[str]
    tags: bool  # whether the file had tags before
    size: int  # file size before, in bytes


def undo_file(table: Path) -> Path:
    """Return the path of a table's undo file, next to the table."""
    return table.with_suffix(".undo.jsonl")


def change(path: str, genres: list[str], log: Path) -> None:
    """Write genres into the tags of a file, after saving the old ones in an undo file.

    Raises:
        SongNetError: as in `songnet.library.genre_tags.write_genres`, or the undo file cannot be
            written.
    """
    size = Path(path).stat().st_size
    _append(log, Entry(path, read_genres(path), genres, has_tags(path), size))
    write_genres(path, genres)


def restore(log: Path) -> Iterator[tuple[str, str]]:
    """Restore the genres in an undo file, the latest change first.

    Changes that cannot be undone stay in the undo file; otherwise it is removed.

    Yields:
        Path of each file, and why it could not be restored, or an empty string.

    Raises:
        SongNetError: there is no undo file.
    """
    entries = list(read_entries(log))
    kept: list[Entry] = []
    try:
        while entries:
            entry = entries[-1]
            problem = _restore(entry)
            entries.pop()
            if problem:
                kept.append(entry)
            yield entry.path, problem
    finally:  # keep the remaining changes if the disk is full
        left = entries + kept[::-1]
        if left:
            with replacing(log) as temporary:
                temporary.write_text("".join(map(_line, left)))
        else:
            log.unlink()


def _restore(entry: Entry) -> str:
    """Restore the genres of one file, and return why that failed, or an empty string."""
    try:
        current = read_genres(entry.path)
        if current == entry.new:
            write_genres(entry.path, entry.old, keep_tags=entry.tags, size=entry.size)
        elif current != entry.old:
            genres = ", ".join(current) or "none"
            return f"its genre has changed since, to {genres}; the file is not modified"
    except NoSpaceError:
        raise
    except SongNetError as error:
        return reason(error, entry.path)
    return ""


def read_entries(log: Path) -> Iterator[Entry]:
    """Read the entries of an undo file, the earliest first.

    A truncated entry is skipped: its file was not changed yet when the process was killed.

    Raises:
        SongNetError: there is no undo file.
    """
    if not log.exists():
        raise SongNetError(f"{log}: no such file; there are no written tags to undo")
    with log.open("rb") as file:
        for line in file:
            if line.startswith(b"[") and line.endswith(b"]\n"):
                yield Entry(*json.loads(line))


def reason(error: SongNetError, path: str) -> str:
    """Return the text of an error without the path."""
    return str(error).removeprefix(f"{path}: ")


def _line(entry: Entry) -> str:
    return json.dumps(entry) + "\n"


def _append(log: Path, entry: Entry) -> None:
    """Append an entry and sync it to the disk."""
    try:
        with log.open("ab", buffering=0) as file:
            file.write(b"\n" + _line(entry).encode())  # the previous entry may be truncated
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in FULL:
            raise no_space(log) from None
        raise SongNetError(f"{log}: {error.strerror}") from None
