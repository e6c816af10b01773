"""Registry of clip sources; importing it does not import the sources."""

from typing import Any, NamedTuple

from songnet.io import load_class


class Kind(NamedTuple):
    """An entry of SOURCES."""

    path: str  # import path of the class
    table: str  # import path of the function that reads the table of tracks
    has_audio: bool


FMA_TABLE = "songnet.data.tracks.read_tracks"
SOURCES = {
    "fma_zip": Kind("songnet.data.fma_zip.FmaZip", FMA_TABLE, has_audio=True),
    "folder": Kind("songnet.data.folder.Folder", "songnet.data.folder.read_songs", has_audio=True),
    "mels": Kind("songnet.data.precomputed_mels.PrecomputedMels", FMA_TABLE, has_audio=False),
}


def clip_source(kind: str, paths: list[str]) -> Any:
    """Open the clips of a data set.

    Args:
        kind: name of an entry of SOURCES.
        paths: files that hold the clips.

    Returns:
        A `songnet.data.clips.ClipSource`.
    """
    return load_class(SOURCES[kind].path)(paths)


def read_table(kind: str, path: str) -> Any:
    """Read the table of tracks that belongs to a clip source.

    Returns:
        A pandas.DataFrame, index track_id, with the columns of `songnet.data.tracks.read_tracks`.
    """
    return load_class(SOURCES[kind].table)(path)
