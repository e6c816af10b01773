"""Songs of a library that sound like another one, by their embeddings."""

import heapq
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from songnet.errors import SongNetError
from songnet.library.columns import EMBEDDING, Row, excerpt_of, set_name
from songnet.library.merge import is_same
from songnet.library.scan import Found, absolute
from songnet.library.table_files import read_rows

NEEDED = ["path", "size", "mtime", "model", "artist", "title", "genre", EMBEDDING]


class Neighbour(NamedTuple):
    """A song of the library."""

    path: str
    similarity: float  # cosine of the embeddings, at most 1
    genre: str
    artist: str | None
    title: str | None


def similar(song: str, table: Path, model: str | None, count: int) -> list[Neighbour]:
    """Find the songs nearest to another one.

    Args:
        song: a file, of the library or not.
        table: of the library.
        model: file of weights, where the song must be classified; None for the one that
            `songnet.load` finds.
        count: most songs.

    Raises:
        SongNetError: song or table cannot be read, or the table is of another model.
    """
    found = _embedding_of(song, table, model)
    path = absolute(song)
    rows = (row for row in read_rows(table, NEEDED) if row["path"] != path)
    return heapq.nlargest(count, _neighbours(rows, found), key=lambda item: item.similarity)


def _neighbours(rows: Iterable[Row], to: NDArray[np.float32]) -> Iterable[Neighbour]:
    for row in rows:
        if row.get(EMBEDDING) is not None:
            lengths = np.linalg.norm(to) * np.linalg.norm(row[EMBEDDING])
            similarity = float(to @ row[EMBEDDING] / max(float(lengths), 1e-12))
            yield Neighbour(
                row["path"], similarity, row["genre"], row.get("artist"), row.get("title")
            )


def _embedding_of(song: str, table: Path, model: str | None) -> NDArray[np.float32]:
    """Embedding of a song: of the table, if its row is up to date."""
    path = absolute(song)
    name = None
    for row in read_rows(table, ["path", "size", "mtime", "model", EMBEDDING]):
        name = name or row["model"]
        if row["path"] == path and row[EMBEDDING] is not None and _is_there(row):
            return np.asarray(row[EMBEDDING], np.float32)
    if name is None:
        raise SongNetError(f"{table}: no song in it was classified")
    return _classified(song, table, name, model)


def _is_there(row: Row) -> bool:
    try:
        facts = Path(row["path"]).stat()
    except OSError:
        return False
    return is_same(row, Found(row["path"], facts.st_size, facts.st_mtime))


def _classified(song: str, table: Path, name: str, model: str | None) -> NDArray[np.float32]:
    import songnet

    network = songnet.load(model)
    excerpt = excerpt_of(name)
    own = set_name(network.facts["model"], network.digest, excerpt)
    if own != name:
        raise SongNetError(
            f"{table}: its embeddings are of the model {name}, not of {network.path} ({own}): "
            "name that model with --model, or run `songnet tag` with this one"
        )
    return network.embed(song, excerpt)
