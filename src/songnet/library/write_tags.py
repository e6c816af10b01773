"""Genres of a table written into the files' own tags, and taken back."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from songnet.data.file_tags import read_tags
from songnet.errors import NoSpaceError, SongNetError
from songnet.library.columns import Row
from songnet.library.genre_tags import check_writable, read_genres
from songnet.library.merge import is_same
from songnet.library.scan import Found
from songnet.library.table_files import read_columns, read_rows, write_rows
from songnet.library.undo import change, reason, restore, undo_file

NEEDED = ["path", "size", "mtime", "model", "genre", "probability", "unsure"]


class Change(NamedTuple):
    """A genre to be written, or why a file stays as it is."""

    path: str
    old: list[str]  # genres in the tags
    new: list[str]
    probability: float
    problem: str = ""


def wanted_changes(table: Path, min_confidence: float, overwrite: bool) -> Iterator[Change]:
    """What is to be written, file by file.

    Args:
        table: of the library.
        min_confidence: least probability of a genre; unsure ones are left out anyway.
        overwrite: whether genres that stand in tags may be replaced.

    Raises:
        SongNetError: the table cannot be read.
    """
    for row in read_rows(table, NEEDED):
        if row["genre"] is None or row["unsure"] or row["probability"] < min_confidence:
            continue
        found = _change(row)
        if found.problem or not found.old or (overwrite and found.old != found.new):
            yield found


def _change(row: Row) -> Change:
    found = Change(row["path"], [], [row["genre"]], row["probability"])
    try:
        facts = Path(row["path"]).stat()
        if not is_same(row, Found(row["path"], facts.st_size, facts.st_mtime)):
            return found._replace(problem="has changed since it was classified; tag it again")
        check_writable(row["path"])
        return found._replace(old=read_genres(row["path"]))
    except OSError as error:
        return found._replace(problem=str(error.strerror))
    except SongNetError as error:
        return found._replace(problem=reason(error, row["path"]))


def apply(table: Path, changes: Iterable[Change]) -> Iterator[Change]:
    """Write genres into files.

    Args:
        table: of the library; old values go to the undo file beside it.
        changes: from `wanted_changes`.

    Yields:
        What was done with each file.
    """
    written: set[str] = set()
    try:
        for found in changes:
            problem = found.problem
            try:
                if not problem:
                    change(found.path, found.new, undo_file(table))
                    written.add(found.path)
            except NoSpaceError:
                raise
            except SongNetError as error:
                problem = reason(error, found.path)
            yield found._replace(problem=problem)
    finally:
        _refresh(table, written)


def undo(table: Path) -> Iterator[tuple[str, str]]:
    """Bring back what stood in files before `apply`.

    Yields:
        Path of each file and what is wrong with it, if anything.

    Raises:
        SongNetError: there is no undo file.
    """
    written: set[str] = set()
    try:
        for path, problem in restore(undo_file(table)):
            if not problem:
                written.add(path)
            yield path, problem
    finally:
        _refresh(table, written)


def _refresh(table: Path, written: set[str]) -> None:
    """Give rows the new sizes, dates and genres of files that hold the same music as before."""
    if not written or not table.exists():
        return
    columns = read_columns(table)
    rows = (_refreshed(row) if row["path"] in written else row for row in read_rows(table))
    write_rows(rows, columns, table)


def _refreshed(row: Row) -> Row:
    try:
        facts, tags = Path(row["path"]).stat(), read_tags(row["path"])
    except OSError:  # gone in the meantime: the next run drops it
        return row
    return row | {"size": facts.st_size, "mtime": facts.st_mtime, "tag_genre": tags.genre}
