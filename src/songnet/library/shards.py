"""Tag a library by many jobs: one finds the files, many classify their share, one writes.

What jobs have found stays in journals until the table has it, also where a run fails.
"""

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from songnet.errors import SongNetError
from songnet.io import own, read_json, write_json
from songnet.library.columns import ColumnSet
from songnet.library.journal import journals
from songnet.library.scan import Found, read_found
from songnet.library.tag import Counts, classify_left, find, write_left, write_table
from songnet.library.workers import Workers


def scan_library(
    paths: list[str], table: str, model: str, excerpt: float | None, time: float, output: Any
) -> None:
    """Find the files of a library, and those that are still to be classified.

    Args:
        paths: folders, files, and lists of them.
        table: of the library; may not be there yet.
        model: file of weights.
        excerpt: seconds from the middle of each file; None for whole files.
        time: of the scan, seconds since 1970.
        output: paths found, left and plan.

    Raises:
        SongNetError: nothing is found, or a folder, the table or the model cannot be read.
    """
    found, left = Path(output.found), Path(output.left)
    with Workers(model, excerpt, 1) as workers:
        find(paths, found)
        columns = workers.columns
        counts = write_left(Path(table), paths, found, columns, _rows(table, columns), left)
    facts = {"time": time, "set": columns.name, "genres": columns.genres}
    write_json(output.plan, facts | counts._asdict())


def classify_shard(
    given: Any, table: str, place: int, shards: int, model: str, excerpt: float | None, jobs: int
) -> None:
    """Classify one share of the files, or to what a killed job has left of it.

    Args:
        given: paths left and plan, of `scan_library`.
        table: of the library.
        place: of the share.
        shards: number of all.
        model: file of weights.
        excerpt: as for `scan_library`.
        jobs: number of processes.

    Raises:
        SongNetError: the model is another one than that of the scan, or the disk is full.
    """
    columns, counts = _read_plan(given.plan)

    def files() -> Iterator[Found]:
        limits = (counts.left * place // shards, counts.left * (place + 1) // shards)
        return islice(read_found(Path(given.left)), *limits)

    if next(files(), None) is None:
        return
    folder = _rows(table, columns) / f"{place:04d}"
    folder.mkdir(parents=True, exist_ok=True)
    with own(folder / "lock"), Workers(model, excerpt, jobs) as workers:
        if workers.columns != columns:
            raise SongNetError(f"{model}: is another model than at the beginning; run again")
        classify_left(workers, files, folder)


def gather_library(given: Any, paths: list[str], table: str) -> None:
    """Write the table of a library.

    Args:
        given: paths found and plan, of `scan_library`.
        paths: that were scanned.
        table: path of the table; what it has of other files stays.

    Raises:
        SongNetError: no job has classified some of the files.
    """
    columns, counts = _read_plan(given.plan)
    rows = _rows(table, columns)
    missing = rows / "missing.jsonl"
    left = write_left(Path(table), paths, Path(given.found), columns, rows, missing).left
    if left:
        raise SongNetError(
            f"{table}: {left:,} files have no row (first: {next(read_found(missing)).path}); "
            "run the same command again"
        )
    if not counts.is_current or journals(rows):
        write_table(Path(table), paths, Path(given.found), columns, rows)
    shutil.rmtree(rows, ignore_errors=True)


def _rows(table: str, columns: ColumnSet) -> Path:
    """Folder of the journals, which no rule knows: Snakemake removes products of failed jobs."""
    return Path(table).parent / ".rows" / columns.name


def _read_plan(path: str) -> tuple[ColumnSet, Counts]:
    facts = read_json(path)
    del facts["time"]
    columns = ColumnSet(facts.pop("set"), tuple(facts.pop("genres")))
    return columns, Counts(**facts)
