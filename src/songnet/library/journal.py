"""What was found of files, written line by line: a kill loses the line that was being written.

A column set has a folder, in which each job has one with a file for each of its runs. Each file is
in the order of paths.
"""

import base64
import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from songnet.errors import SongNetError
from songnet.io import FULL, no_space
from songnet.library.columns import EMBEDDING, OF_GENRE, ColumnSet, Row

SYNC_SECONDS = (
    5.0  # after which lines are brought to the disk, so that a power cut does not take them
)


class Journal:
    """Appends rows to a new file of a folder.

    Args:
        folder: of one job.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{len(parts(folder)):06d}.jsonl"
        self._file: IO[bytes] = self._path.open("xb", buffering=0)
        self._synced = time.monotonic()

    def write(self, line: str) -> None:
        """Write a row, as the worker gives it.

        Raises:
            SongNetError: the disk is full.
        """
        content = line.encode() + b"\n"
        try:
            while content:
                content = content[self._file.write(content) :]
            if time.monotonic() - self._synced > SYNC_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            if error.errno in FULL:
                raise no_space(self._path) from None
            raise SongNetError(f"{self._path}: {error.strerror}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._file.close()
        if not self._path.stat().st_size:
            self._path.unlink()


def parts(folder: Path) -> list[Path]:
    """Journals of one worker's folder, the oldest first."""
    return sorted(folder.glob("*.jsonl"))


def journals(folder: Path) -> list[Path]:
    """Journals of all folders of a column set."""
    return sorted(folder.glob("*/*.jsonl"))


def read_journal(path: Path) -> Iterator[Row]:
    """Read the rows of a journal that are complete, as workers give them."""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):  # the last one, at a kill
                return
            yield json.loads(line)


def table_rows(rows: Iterable[Row], columns: ColumnSet) -> Iterator[Row]:
    """Rows of a table, of rows that workers give.

    Args:
        rows: of journals.
        columns: the set that they belong to.
    """
    for values in rows:
        probabilities, embedding = values.pop("probabilities"), values.pop(EMBEDDING)
        row = values | {"model": columns.name, EMBEDDING: None}
        shares = probabilities or [None] * len(columns.genres)
        row |= {OF_GENRE + name: p for name, p in zip(columns.genres, shares, strict=True)}
        if embedding is not None:
            row[EMBEDDING] = np.frombuffer(base64.b64decode(embedding), np.float32)
        yield row


def to_line(row: Row) -> str:
    """Line of a journal, without the end of the line."""
    if row[EMBEDDING] is not None:
        content = np.ascontiguousarray(row[EMBEDDING], np.float32).tobytes()
        row = row | {EMBEDDING: base64.b64encode(content).decode()}
    return json.dumps(row)
