"""Read genre, artist and title from ID3, MP4, Vorbis, APE and ASF tags, using mutagen."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import mutagen


class Tags(NamedTuple):
    """Tags of a file; None where a tag is missing or empty."""

    genre: str | None = None
    artist: str | None = None
    title: str | None = None


def read_tags(path: str | Path) -> Tags:
    """Read the tags of a file, with the first genre where a tag lists several.

    Raises:
        OSError: the file cannot be opened.
    """
    with Path(path).open("rb") as file:
        try:
            audio = mutagen.File(file, easy=True)
        except (mutagen.MutagenError, ValueError, EOFError):  # damaged, or of an unknown type
            return Tags()
    tags = audio.tags if audio is not None and audio.tags is not None else {}
    genre = _first(tags, "genre", "TCON", "WM/Genre")
    return Tags(
        re.split(r"\s*[;\0]\s*", genre)[0] or None if genre else None,
        _first(tags, "artist", "TPE1", "Author", "albumartist", "WM/AlbumArtist"),
        _first(tags, "title", "TIT2", "Title"),
    )


def _first(tags: Any, *names: str) -> str | None:
    """Return the first non-empty text among tags whose names differ between formats."""
    for name in names:
        try:
            values = tags.get(name)
        except (KeyError, ValueError):  # the format does not allow this name
            continue
        for kind in ("genres", "text"):  # ID3 frames: `genres` resolves numeric genres
            values = getattr(values, kind, values)
        for value in values if isinstance(values, list) else [values]:
            if value is not None and (text := " ".join(str(value).split())):
                return text
    return None
