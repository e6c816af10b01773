"""What the tags of an audio file say: ID3, MP4, Vorbis comments, APE and ASF, read by mutagen."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import mutagen


class Tags(NamedTuple):
    """Tags of a file; None where there is none, or nothing in it."""

    genre: str | None = None
    artist: str | None = None
    title: str | None = None


def read_tags(path: str | Path) -> Tags:
    """Read the tags of a file.

    Of several genres in one tag the first counts.

    Raises:
        OSError: the file cannot be opened.
    """
    with Path(path).open("rb") as file:
        try:
            found = mutagen.File(file, easy=True)
        except (mutagen.MutagenError, ValueError, EOFError):  # damaged, or of no known kind
            return Tags()
    tags = found.tags if found is not None and found.tags is not None else {}
    genre = _first(tags, "genre", "TCON", "WM/Genre")
    return Tags(
        re.split(r"\s*[;\0]\s*", genre)[0] or None if genre else None,
        _first(tags, "artist", "TPE1", "Author", "albumartist", "WM/AlbumArtist"),
        _first(tags, "title", "TIT2", "Title"),
    )


def _first(tags: Any, *names: str) -> str | None:
    """First text of the first tag that has any; formats name and hold their tags differently."""
    for name in names:
        try:
            found = tags.get(name)
        except (KeyError, ValueError):  # a name that the format does not allow
            continue
        for kind in ("genres", "text"):  # of ID3 frames; the first resolves numbers of genres
            found = getattr(found, kind, found)
        for value in found if isinstance(found, list) else [found]:
            if value is not None and (text := " ".join(str(value).split())):
                return text
    return None
