"""Tag a library with many jobs: one finds the files, many classify a share, one writes the table.

Results stay in journals until the table is written, even if a run fails.
"""

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from songnet.data.audio_files import named
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
    """Find the files of a library, and list those that still have to be classified.

    Args:
        paths: folders, files, and lists of them.
        table: path of the table, which need not exist yet.
        model: path of the model's weights.
        excerpt: seconds from the middle of each file; None for whole files.
        time: time of the scan in seconds since 1970.
        output: output paths with attributes found, left and plan.

    Raises:
        SongNetError: there are no audio files, or a folder, the table or the model cannot be read.
    """
    found, left = Path(output.found), Path(output.left)
    with Workers(model, excerpt, 1) as workers:
        find(paths, found)
        columns = workers.columns
        roots = [*map(str, named(paths))]
        counts = write_left(Path(table), roots, found, columns, _rows(table, columns), left)
    facts = {"time": time, "set": columns.name, "genres": columns.genres}
    write_json(output.plan, facts | counts._asdict())


def classify_shard(
    given: Any, table: str, place: int, shards: int, model: str, excerpt: float | None, jobs: int
) -> None:
    """Classify one share of the files, resuming after a killed job.

    Args:
        given: input paths with attributes left and plan, from `scan_library`.
        table: path of the table.
        place: index of the share.
        shards: number of shares.
        model: path of the model's weights.
        excerpt: as for `scan_library`.
        jobs: number of processes.

    Raises:
        SongNetError: the model has changed since the scan, or the disk is full.
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
            raise SongNetError(f"{model}: the model has changed since the scan; run again")
        classify_left(workers, files, folder)


def gather_library(given: Any, paths: list[str], table: str) -> None:
    """Write the table of a library.

    Args:
        given: input paths with attributes found and plan, from `scan_library`.
        paths: as for `scan_library`.
        table: path of the table; rows of files elsewhere are kept.

    Raises:
        SongNetError: some files were not classified.
    """
    roots = [*map(str, named(paths))]
    columns, counts = _read_plan(given.plan)
    rows = _rows(table, columns)
    missing = rows / "missing.jsonl"
    left = write_left(Path(table), roots, Path(given.found), columns, rows, missing).left
    if left:
        raise SongNetError(
            f"{table}: {left:,} files were not classified "
            f"(first: {next(read_found(missing)).path}); run the same command again"
        )
    if not counts.is_current or journals(rows):
        write_table(Path(table), roots, Path(given.found), columns, rows)
    shutil.rmtree(rows, ignore_errors=True)


def _rows(table: str, columns: ColumnSet) -> Path:
    """Return the folder of the journals, no rule's output, since Snakemake deletes failed jobs'."""
    return Path(table).parent / ".rows" / columns.name


def _read_plan(path: str) -> tuple[ColumnSet, Counts]:
    facts = read_json(path)
    del facts["time"]
    columns = ColumnSet(facts.pop("set"), tuple(facts.pop("genres")))
    return columns, Counts(**facts)
