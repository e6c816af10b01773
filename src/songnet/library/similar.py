"""Find similar songs in a library by the similarity of embeddings."""

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
    similarity: float  # cosine similarity of the embeddings
    genre: str
    artist: str | None
    title: str | None


def similar(song: str, table: Path, model: str | None, count: int) -> list[Neighbour]:
    """Find the songs that are most similar to a file.

    Args:
        song: audio file, which need not be part of the library.
        table: table of the library.
        model: path of weights, used if the song is not in the table; None for the model that
            `songnet.load` finds.
        count: maximum number of songs.

    Raises:
        SongNetError: the song or the table cannot be read, or the table is of another model.
    """
    embedding = _embedding_of(song, table, model)
    path = absolute(song)
    rows = (row for row in read_rows(table, NEEDED) if row["path"] != path)
    return heapq.nlargest(count, _neighbours(rows, embedding), key=lambda item: item.similarity)


def _neighbours(rows: Iterable[Row], embedding: NDArray[np.float32]) -> Iterable[Neighbour]:
    for row in rows:
        if row.get(EMBEDDING) is not None:
            norms = np.linalg.norm(embedding) * np.linalg.norm(row[EMBEDDING])
            similarity = float(embedding @ row[EMBEDDING] / max(float(norms), 1e-12))
            yield Neighbour(
                row["path"], similarity, row["genre"], row.get("artist"), row.get("title")
            )


def _embedding_of(song: str, table: Path, model: str | None) -> NDArray[np.float32]:
    """Return the embedding of a song, from the table if its row is up to date."""
    path = absolute(song)
    name = None
    for row in read_rows(table, ["path", "size", "mtime", "model", EMBEDDING]):
        name = name or row["model"]
        if row["path"] == path and row.get(EMBEDDING) is not None and _is_current(row):
            return np.asarray(row[EMBEDDING], np.float32)
    if name is None:
        raise SongNetError(f"{table}: contains no classified song")
    return _classified(song, table, name, model)


def _is_current(row: Row) -> bool:
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
            "pass that model with --model, or run `songnet tag` with this one"
        )
    return network.embed(song, excerpt)
