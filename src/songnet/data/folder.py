"""The user's own songs in a folder or list, with labels from a manifest, paths or tags."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pandas as pd

from songnet.data.clips import AudioSource
from songnet.data.tracks import OPTIONAL, REQUIRED, SUBSETS
from songnet.errors import UnusableClipError

# Columns of songs.parquet, index track_id. `path` is bytes, since file names need not be UTF-8;
# `problem` says why a file is unusable.
COLUMNS = [
    "file_name", "path", "size", "modified", "genre", "artist", "title", "license", "split",
    "problem",
]  # fmt: skip


class Folder(AudioSource):
    """Songs listed by `songnet.data.songs.list_songs`.

    Args:
        paths: path of songs.parquet, as a list of one.
    """

    from_middle = True

    def __init__(self, paths: list[str]) -> None:
        super().__init__(paths)
        (self._path,) = paths
        self._songs = pd.read_parquet(self._path)

    def track_ids(self) -> set[int]:
        """Return the ids of the usable songs."""
        return set(self._songs.index[self._songs["problem"].isna()])

    def problems(self) -> dict[int, str]:
        """Return the files that are not songs or have no genre, with the reason."""
        problems: dict[int, str] = self._songs["problem"].dropna().to_dict()
        return problems

    def file_name(self, track_id: int) -> str:
        """Return the path of a song relative to the music folder."""
        return str(self._songs.at[track_id, "file_name"])

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], BinaryIO]]:
        """Yield a function that opens a song."""
        yield lambda track_id: _open(os.fsdecode(self._songs.at[track_id, "path"]))


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise UnusableClipError("no such file") from None
    except OSError as error:
        raise UnusableClipError(f"cannot be read: {error.strerror}") from None


def read_songs(path: str) -> pd.DataFrame:
    """Read songs.parquet as a table of tracks.

    Returns:
        The usable songs, with the columns of `songnet.data.tracks.read_tracks`.
    """
    songs = pd.read_parquet(path)
    songs = songs[songs["problem"].isna()].rename(columns={"split": "official_split"})
    tracks = songs.assign(artist_id=songs["artist"], top_genres=None)
    tracks["subset"] = pd.Categorical(["small"] * len(songs), SUBSETS, ordered=True)
    names = [name for name in (REQUIRED | OPTIONAL).values() if name != "genres_all"]
    return tracks.reindex(columns=[*names, "top_genres"])
