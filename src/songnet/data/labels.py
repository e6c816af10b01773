"""Labels of songs from their paths, such as ``Rock/Ann/Song.mp3``."""

import re
from pathlib import PurePath

from songnet.errors import SongNetError, UnusableClipError

FIELDS = ("genre", "artist", "album", "title", "split")
PLACES = re.compile(r"\{(\w*)\}|\*")


class Layout:
    """Extracts labels from paths.

    Args:
        pattern: pattern of FIELDS such as ``{genre}/{artist}/{album}/{title}``, where ``*`` matches
            text to ignore. It must match the path relative to the music folder, with or without
            the suffix. None means that the first folder is the genre and the second, if any, the
            artist.

    Raises:
        SongNetError: the pattern lacks the genre, or has an unknown or repeated field.
    """

    def __init__(self, pattern: str | None = None) -> None:
        self._pattern = pattern
        self._expression = None if pattern is None else _compiled(pattern)

    def labels(self, file: PurePath) -> dict[str, str]:
        """Return the labels of a file.

        Args:
            file: path relative to the music folder.

        Raises:
            UnusableClipError: the path does not match the pattern.
        """
        if self._expression is None:
            return _by_folders(file)
        # The pattern may include the suffix, and a title may contain a dot.
        for path in (file.with_suffix(""), file):
            if match := self._expression.fullmatch(str(path)):
                return {"title": file.stem} | match.groupdict()
        raise UnusableClipError(f"its path does not match the layout {self._pattern}")


def _by_folders(file: PurePath) -> dict[str, str]:
    folders = file.parts[:-1]
    if not folders:
        raise UnusableClipError("not in a genre folder")
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
    """Return what is wrong with a pattern, or an empty string."""
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
