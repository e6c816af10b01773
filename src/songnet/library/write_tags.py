"""Write the genres of a table into the tags of its files, and undo that."""

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
    """A genre to write, or the reason why a file is not modified."""

    path: str
    old: list[str]  # genres in the tags
    new: list[str]
    probability: float
    problem: str = ""


def wanted_changes(table: Path, min_confidence: float, overwrite: bool) -> Iterator[Change]:
    """Yield the changes to make, file by file.

    Args:
        table: table of the library.
        min_confidence: minimum probability of a prediction; unsure predictions are always left out.
        overwrite: whether existing genres may be replaced.

    Raises:
        SongNetError: the table cannot be read.
    """
    for row in read_rows(table, NEEDED):
        if row["genre"] is None or row["unsure"] or row["probability"] < min_confidence:
            continue
        planned = _change(row)
        if planned.problem or not planned.old or (overwrite and planned.old != planned.new):
            yield planned


def _change(row: Row) -> Change:
    planned = Change(row["path"], [], [row["genre"]], row["probability"])
    try:
        facts = Path(row["path"]).stat()
        if not is_same(row, Found(row["path"], facts.st_size, facts.st_mtime)):
            return planned._replace(problem="has changed since it was classified; tag it again")
        check_writable(row["path"])
        return planned._replace(old=read_genres(row["path"]))
    except OSError as error:
        return planned._replace(problem=str(error.strerror))
    except SongNetError as error:
        return planned._replace(problem=reason(error, row["path"]))


def apply(table: Path, changes: Iterable[Change]) -> Iterator[Change]:
    """Write genres into files.

    Args:
        table: table of the library; old genres are saved in the undo file next to it.
        changes: changes from `wanted_changes`.

    Yields:
        Each change, with ``problem`` set if it failed.
    """
    written: set[str] = set()
    try:
        for planned in changes:
            problem = planned.problem
            try:
                if not problem:
                    change(planned.path, planned.new, undo_file(table))
                    written.add(planned.path)
            except NoSpaceError:
                raise
            except SongNetError as error:
                problem = reason(error, planned.path)
            yield planned._replace(problem=problem)
    finally:
        _refresh(table, written)


def undo(table: Path) -> Iterator[tuple[str, str]]:
    """Restore the genres from before `apply`.

    Yields:
        Path of each file, and why it could not be restored, or an empty string.

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
    """Update size, date and genre in the rows of written files, whose audio is unchanged."""
    if not written or not table.exists():
        return
    columns = read_columns(table)
    rows = (_refreshed(row) if row["path"] in written else row for row in read_rows(table))
    write_rows(rows, columns, table)


def _refreshed(row: Row) -> Row:
    try:
        facts, tags = Path(row["path"]).stat(), read_tags(row["path"])
    except OSError:  # deleted in the meantime; the next run drops the row
        return row
    return row | {"size": facts.st_size, "mtime": facts.st_mtime, "tag_genre": tags.genre}
