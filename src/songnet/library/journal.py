"""Journals: results of files, written line by line, so that a kill loses at most the last line.

Each column set has a folder with a subfolder per job, which holds one file per run of the job. Each
file is sorted by path.
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

CRASHED = "the decoder crashed"  # error of a file whose process crashed
SYNC_SECONDS = 5.0  # interval between syncs to disk, which limit the loss in a power failure


class Journal:
    """Writes rows to a new file in a job's folder.

    Args:
        folder: folder of the job.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{len(parts(folder)):06d}.jsonl"
        self._file: IO[bytes] = self._path.open("xb", buffering=0)
        self._synced = time.monotonic()

    def write(self, line: str) -> None:
        """Write a row, in the form of `to_line`.

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
    """Return the journals of one job's folder, the oldest first."""
    return sorted(folder.glob("*.jsonl"))


def journals(folder: Path) -> list[Path]:
    """Return the journals of all jobs of a column set."""
    return sorted(folder.glob("*/*.jsonl"))


def read_journal(path: Path) -> Iterator[Row]:
    """Read the complete rows of a journal, in the form that workers return."""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):  # the job was killed while writing this line
                return
            yield json.loads(line)


def table_rows(rows: Iterable[Row], columns: ColumnSet) -> Iterator[Row]:
    """Convert rows of journals to rows of a table.

    Args:
        rows: rows of journals.
        columns: column set of the rows.
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
    """Convert a row to a line of a journal, without the line break."""
    if row[EMBEDDING] is not None:
        content = np.ascontiguousarray(row[EMBEDDING], np.float32).tobytes()
        row = row | {EMBEDDING: base64.b64encode(content).decode()}
    return json.dumps(row)
