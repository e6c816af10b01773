"""Labels of songs from where their files lie, such as ``Rock/Ann/Song.mp3``."""

import re
from pathlib import PurePath

from songnet.errors import SongNetError, UnusableClipError

FIELDS = ("genre", "artist", "album", "title", "split")
PLACES = re.compile(r"\{(\w*)\}|\*")


class Layout:
    """Reads labels off paths.

    Args:
        pattern: such as ``{genre}/{artist}/{album}/{title}``, with FIELDS and, for what has no
            meaning, ``*``; it fits the path below the folder of songs, with or without the
            file's suffix. None takes the first folder as the genre and the second, where there
            are several, as the artist.

    Raises:
        SongNetError: the pattern has no genre, an unknown field, or one that occurs twice.
    """

    def __init__(self, pattern: str | None = None) -> None:
        self._pattern = pattern
        self._expression = None if pattern is None else _compiled(pattern)

    def labels(self, file: PurePath) -> dict[str, str]:
        """Labels of a file.

        Args:
            file: path below the folder of songs.

        Raises:
            UnusableClipError: the path does not fit.
        """
        if self._expression is None:
            return _by_folders(file)
        # The suffix may be part of the pattern, and a dot part of a title.
        for path in (file.with_suffix(""), file):
            if found := self._expression.fullmatch(str(path)):
                return {"title": file.stem} | found.groupdict()
        raise UnusableClipError(f"its path does not fit the layout {self._pattern}")


def _by_folders(file: PurePath) -> dict[str, str]:
    folders = file.parts[:-1]
    if not folders:
        raise UnusableClipError("no folder names its genre")
    return dict(zip(("genre", "artist"), folders, strict=False)) | {"title": file.stem}


def _compiled(pattern: str) -> re.Pattern[str]:
    problem = _problem(pattern)
    if problem:
        raise SongNetError(f"config key layout: {pattern!r} {problem}")
    expression, end = "", 0
    for place in PLACES.finditer(pattern.strip("/")):
        expression += re.escape(pattern.strip("/")[end : place.start()])
        expression += f"(?P<{place[1]}>[^/]+?)" if place[1] else "[^/]*?"
        end = place.end()
    return re.compile(expression + re.escape(pattern.strip("/")[end:]), re.DOTALL)


def _problem(pattern: str) -> str:
    """What is wrong with a pattern; empty if nothing."""
    names = [place[1] for place in PLACES.finditer(pattern) if place[0] != "*"]
    for name in names:
        if name not in FIELDS:
            allowed = ", ".join(f"{{{field}}}" for field in FIELDS)
            return f"has the unknown field {{{name}}} (allowed: {allowed}, and * for anything)"
        if names.count(name) > 1:
            return f"has {{{name}}} twice"
    if "genre" not in names:
        return "has no {genre}"
    if re.search(r"\}\{|\}\*|\*\{", pattern):
        return "has two fields with nothing between them"
    return ""
