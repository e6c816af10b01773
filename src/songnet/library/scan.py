"""Find the files of a library in path order, and store them in list files."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from songnet.data.audio_files import audio_files
from songnet.io import replacing


class Found(NamedTuple):
    """One version of a file; a changed size or date is a new version."""

    path: str  # absolute
    size: int  # bytes
    mtime: float  # seconds since 1970


def scan(paths: Iterable[str | Path]) -> Iterator[Found]:
    """Find the audio files below folders.

    Raises:
        SongNetError: as in `songnet.data.audio_files.audio_files`.
    """
    roots: list[str] = sorted({absolute(path) for path in paths}, key=sort_key)
    for path in audio_files(roots):
        name = absolute(path)
        try:
            facts = path.stat()
        except OSError:  # a broken link; opening it reports the error
            yield Found(name, 0, 0.0)
            continue
        yield Found(name, facts.st_size, facts.st_mtime)


def absolute(path: str | Path) -> str:
    """Return the absolute path as stored in tables; symbolic links are not resolved."""
    return os.path.normpath(Path(path).expanduser().absolute())


def sort_key(path: str) -> list[str]:
    """Return the sort key of all lists and tables, which gives the order of a folder walk."""
    return path.split("/")


def write_found(found: Iterable[Found], path: Path) -> int:
    """Write a list of files sorted by path, without duplicates.

    Returns:
        The number of files.
    """
    count, is_sorted, last = 0, True, [""]
    with replacing(path) as temporary, temporary.open("w") as file:
        for item in found:
            key = sort_key(item.path)
            is_sorted = is_sorted and last < key
            count, last = count + 1, key
            file.write(json.dumps(item) + "\n")
    if is_sorted:  # always true for a walk of folders
        return count
    unique = {item.path: item for item in read_found(path)}
    return write_found((unique[name] for name in sorted(unique, key=sort_key)), path)


def read_found(path: Path) -> Iterator[Found]:
    """Read a list of files."""
    with path.open() as file:
        for line in file:
            yield Found(*json.loads(line))
