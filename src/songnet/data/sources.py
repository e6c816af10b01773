"""The sources of clips: one entry for each. Importing this loads none of them."""

from typing import Any, NamedTuple

from songnet.io import load_class


class Kind(NamedTuple):
    """An entry of SOURCES."""

    path: str  # import path of the class
    has_audio: bool


SOURCES = {
    "fma_zip": Kind("songnet.data.fma_zip.FmaZip", has_audio=True),
    "mels": Kind("songnet.data.precomputed_mels.PrecomputedMels", has_audio=False),
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
