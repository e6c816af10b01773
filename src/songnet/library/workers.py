"""A pool of processes that classify files; crashed processes are replaced."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from songnet.errors import SongNetError
from songnet.library.columns import ColumnSet
from songnet.library.journal import CRASHED, to_line
from songnet.library.scan import Found
from songnet.parallel import in_order

# One thread per process, since there is a process for each core.
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
AHEAD = 16  # files per process that may be started before the first of them is finished


class Workers:
    """A pool of processes with one model.

    Args:
        model: path of the model's weights; None for the model that `songnet.load` finds.
        excerpt: seconds from the middle of each file; None for whole files.
        jobs: number of processes.

    Raises:
        SongNetError: the model cannot be loaded.
    """

    def __init__(self, model: str | None, excerpt: float | None, jobs: int) -> None:
        self._arguments = [model or "", "" if excerpt is None else str(excerpt)]
        self._jobs = jobs
        first = _Worker(self._arguments)
        self._all = [first]
        self.description = first.description
        self._arguments[0] = self.description["path"]
        self.columns = ColumnSet(self.description["set"], tuple(self.description["genres"]))

    def rows(self, files: Iterable[Found]) -> Iterator[str]:
        """Classify files.

        Yields:
            Lines for a journal, in the order of the files.
        """
        while len(self._all) < self._jobs:
            self._all.append(_Worker(self._arguments, self.columns.name))
        free: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._all:
            free.put(worker)

        def row(found: Found) -> str:
            worker = free.get()
            try:
                return worker.ask(found)
            finally:
                free.put(worker)

        with ThreadPoolExecutor(self._jobs) as pool:
            yield from in_order(pool, row, files, AHEAD * self._jobs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        for worker in self._all:
            worker.stop()


class _Worker:
    """One process, which is restarted after a crash.

    Args:
        arguments: arguments of `songnet.library.worker`.
        columns: name of the column set that the model must have; None if this process is the first.
    """

    def __init__(self, arguments: list[str], columns: str | None = None) -> None:
        self._arguments, self._columns = arguments, columns
        self._process = self._start()
        self._is_ready = False
        if columns is None:
            self.description = self._described()
            self._columns = self.description["set"]

    def ask(self, found: Found) -> str:
        """Classify a file and return its line for the journal."""
        if not self._is_ready:
            self._described()
        try:
            self._write(json.dumps(found))
            return self._read()
        except (BrokenPipeError, EOFError):
            self.stop()
            self._process, self._is_ready = self._start(), False
            return _crash_row(found)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "songnet.library.worker", *self._arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | THREADS,
            text=True, start_new_session=True,
        )  # fmt: skip

    def _described(self) -> dict[str, Any]:
        try:
            description: dict[str, Any] = json.loads(self._read())
        except EOFError:
            raise SongNetError("a process that classifies files failed to start") from None
        if "error" in description:
            raise SongNetError(description["error"])
        if self._columns not in (None, description["set"]):
            raise SongNetError(
                f"{description['path']}: the model was replaced during the run; run again"
            )
        self._is_ready = True
        return description

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise EOFError
        return line[:-1]


def _crash_row(found: Found) -> str:
    empty = dict.fromkeys([
        "duration", "artist", "title", "tag_genre", "genre", "probability", "probabilities",
        "embedding",
    ])  # fmt: skip
    return to_line(found._asdict() | empty | {"error": CRASHED, "unsure": True})
