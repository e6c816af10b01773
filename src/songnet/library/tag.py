"""Tag a library: find its files, classify the new ones, write the table.

Intermediate results are kept in files next to the table, so the same command resumes after a kill.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from songnet.data.audio_files import named
from songnet.errors import SongNetError
from songnet.io import own
from songnet.library.columns import ColumnSet, Row, all_columns, rotated_columns
from songnet.library.journal import Journal, journals, parts, read_journal, table_rows
from songnet.library.merge import current_rows, is_gone, is_left, merged_rows, side_by_side
from songnet.library.scan import Found, absolute, read_found, scan, write_found
from songnet.library.table_files import check_format, read_columns, read_rows, write_rows
from songnet.library.workers import Workers


class Counts(NamedTuple):
    """Numbers of files in a library."""

    files: int
    left: int  # new, changed, or not yet classified by this model
    dropped: int  # in the table, but no longer on the disk
    is_current: bool  # whether the table is already up to date


def tag_library(
    paths: list[str], output: str | Path, model: str | None, excerpt: float | None, jobs: int,
    announce: Callable[[str], None] | None = None,
) -> Counts:  # fmt: skip
    """Write or update a table with one row per audio file.

    Args:
        paths: folders, files, and lists of them.
        output: path of the table, in a format of `songnet.library.table_files`.
        model: path of the model's weights; None for the model that `songnet.load` finds.
        excerpt: seconds from the middle of each file; None for whole files.
        jobs: number of processes.
        announce: called with a description of the model before the files are classified.

    Returns:
        The numbers of files before the update.

    Raises:
        SongNetError: there are no audio files, a folder or the table cannot be read, or the disk is
            full.
    """
    table = Path(output)
    check_format(table)
    try:
        with _work(table) as work, Workers(model, excerpt, jobs) as workers:
            found, left = work / "found.jsonl", work / "left.jsonl"
            rows = work / workers.columns.name
            if announce:
                announce(workers.description["description"])
            find(paths, found)
            roots = [*map(str, named(paths))]
            counts = write_left(table, roots, found, workers.columns, rows, left)
            classify_left(workers, lambda: read_found(left), rows / "0000")
            if not counts.is_current or journals(rows):
                write_table(table, roots, found, workers.columns, rows)
            shutil.rmtree(rows, ignore_errors=True)
    except OSError as error:
        raise SongNetError(f"{error.filename or table}: {error.strerror or error}") from None
    return counts


@contextmanager
def _work(table: Path) -> Iterator[Path]:
    """Yield the folder of intermediate results, and remove it if no results are left in it."""
    folder = table.with_name(f".{table.name}.work")
    folder.mkdir(parents=True, exist_ok=True)
    with own(folder / "lock"):  # other processes that write the same table wait
        try:
            yield folder
        finally:
            if not list(folder.glob("*/*/*.jsonl")):  # of this model or another one
                shutil.rmtree(folder)


def find(paths: list[str], output: Path) -> None:
    """Write the list of the audio files below folders.

    Raises:
        SongNetError: a folder cannot be read or contains no audio files, for example because a disk
            is not mounted.
    """
    empty = {path: Path(absolute(path)) for path in paths if Path(path).expanduser().is_dir()}

    def files() -> Iterator[Found]:
        for found in scan(paths):
            for path in [path for path in empty if Path(found.path).is_relative_to(empty[path])]:
                del empty[path]
            yield found

    progress = tqdm(files(), desc="finding files", unit="file", disable=None, leave=False)
    count = write_found(progress, output)
    if empty or not count:
        raise SongNetError(f"{', '.join(empty or paths)}: no audio files")


def write_left(
    table: Path, roots: list[str], found: Path, columns: ColumnSet, rows: Path, output: Path
) -> Counts:
    """Write the list of files that have no up-to-date row in the table or the journals.

    Args:
        table: path of the table, which need not exist yet.
        roots: files and folders that were scanned.
        found: list of the files found.
        columns: column set of the model.
        rows: folder of journals, possibly from an earlier run.
        output: output path of the list.

    Returns:
        The numbers of files.
    """
    files = dropped = 0
    needed = ["path", "size", "mtime", "model", "error", f"{columns.name}:model"]

    def left() -> Iterator[Found]:
        nonlocal files, dropped
        old, new = _old_rows(table, columns, needed), map(read_journal, journals(rows))
        for side in side_by_side(read_found(found), old, new):
            files += side.found is not None
            dropped += is_gone(side, roots)
            if side.found and is_left(side, columns.name):
                yield side.found

    count = write_found(left(), output)
    is_current = not count and not dropped and plain_sets(table) == {columns.name}
    return Counts(files, count, dropped, is_current)


def classify_left(workers: Workers, files: Callable[[], Iterable[Found]], folder: Path) -> None:
    """Classify files, except those that already have a row in a journal of the folder.

    Args:
        workers: processes that classify.
        files: returns the files to classify, sorted by path.
        folder: folder of journals, to which a new one is added.

    Raises:
        SongNetError: the disk is full.
    """
    earlier = parts(folder)

    def left() -> Iterator[Found]:
        for side in side_by_side(files(), [], map(read_journal, earlier)):
            if side.found and side.new is None:
                yield side.found

    total, count = (sum(1 for _ in some) for some in (files(), left()))
    if not count:
        return
    bar = tqdm(total=total, initial=total - count, unit="file", smoothing=0.05, disable=None)
    with bar, Journal(folder) as journal:
        for line in workers.rows(left()):
            journal.write(line)
            bar.update()


def write_table(table: Path, roots: list[str], found: Path, columns: ColumnSet, rows: Path) -> None:
    """Write a table, keeping the valid rows of the existing one.

    Args:
        table: path of the table.
        roots: files and folders that were scanned.
        found: list of the files found.
        columns: column set of the model.
        rows: folder of journals with the new rows.
    """
    old = read_columns(table) if table.exists() else []
    others = rotated_columns(old, plain_sets(table), columns)
    new = [table_rows(read_journal(path), columns) for path in journals(rows)]
    sides = side_by_side(read_found(found), _old_rows(table, columns), new)
    write_rows(merged_rows(sides, roots), all_columns(columns, others), table)


def plain_sets(table: Path) -> set[str]:
    """Return the sets with plain column names in a table; one at most, if SongNet wrote it."""
    if not table.exists():
        return set()
    return {row["model"] for row in read_rows(table, ["path", "model"])} - {None}


def _old_rows(table: Path, columns: ColumnSet, names: list[str] | None = None) -> Iterable[Row]:
    if not table.exists():
        return []
    return current_rows(read_rows(table, names), columns.name, table)
