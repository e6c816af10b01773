"""Old values of files that were changed: on the disk before a change, brought back from there."""

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
    old: list[str]  # genres
    new: list[str]
    tags: bool  # whether there were tags before
    size: int  # bytes of the file before


def undo_file(table: Path) -> Path:
    """The undo file of a table, beside it."""
    return table.with_suffix(".undo.jsonl")


def change(path: str, genres: list[str], log: Path) -> None:
    """Write genres into the tags of a file, and its old ones into an undo file before.

    Raises:
        SongNetError: as in `songnet.library.genre_tags.write_genres`, or the undo file cannot be
            written.
    """
    size = Path(path).stat().st_size
    _append(log, Entry(path, read_genres(path), genres, has_tags(path), size))
    write_genres(path, genres)


def restore(log: Path) -> Iterator[tuple[str, str]]:
    """Bring back the genres of an undo file, the latest change first.

    What cannot be brought back stays in the undo file, which else is removed.

    Yields:
        Path of each file and what is wrong with it, if anything.

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
    finally:  # a full disk may have ended it
        left = entries + kept[::-1]
        if left:
            with replacing(log) as temporary:
                temporary.write_text("".join(map(_line, left)))
        else:
            log.unlink()


def _restore(entry: Entry) -> str:
    """Bring back the genres of one file; what is wrong, if anything."""
    try:
        now = read_genres(entry.path)
        if now == entry.new:
            write_genres(entry.path, entry.old, keep_tags=entry.tags, size=entry.size)
        elif now != entry.old:
            return f"has another genre now, {', '.join(now) or 'none'}; it is left as it is"
    except NoSpaceError:
        raise
    except SongNetError as error:
        return reason(error, entry.path)
    return ""


def read_entries(log: Path) -> Iterator[Entry]:
    """Entries of an undo file, the earliest first; one that a kill cut off changed nothing.

    Raises:
        SongNetError: there is none.
    """
    if not log.exists():
        raise SongNetError(f"{log}: no such file; nothing was written into tags")
    with log.open("rb") as file:
        for line in file:
            if line.startswith(b"[") and line.endswith(b"]\n"):
                yield Entry(*json.loads(line))


def reason(error: SongNetError, path: str) -> str:
    """What is wrong with a file, without its name."""
    return str(error).removeprefix(f"{path}: ")


def _line(entry: Entry) -> str:
    return json.dumps(entry) + "\n"


def _append(log: Path, entry: Entry) -> None:
    """Write an entry through to the disk."""
    try:
        with log.open("ab", buffering=0) as file:
            file.write(b"\n" + _line(entry).encode())  # behind what a kill may have cut off
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in FULL:
            raise no_space(log) from None
        raise SongNetError(f"{log}: {error.strerror}") from None
