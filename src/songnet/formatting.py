"""How shares of tracks, times and credits are written, in sentences, tables and pages.

Ours have one decimal, figures of the poster and what stands beside them two, as the poster has.
"""

import math
from collections.abc import Iterable
from typing import Any


def percent(share: float | None, digits: int = 1) -> str:
    """A share: 53.4 %; – where there is none."""
    found = in_percent(share, digits)
    return found if found == "–" else f"{found} %"


def in_percent(share: float | None, digits: int = 1) -> str:
    """A share where a heading or an axis names the unit: 53.4; – where there is none."""
    return "–" if share is None or math.isnan(share) else f"{100 * share:.{digits}f}"


def signed_points(difference: float, digits: int = 1) -> str:
    """A difference of two shares in points, with its sign: +9.7, −0.4, – where there is none.

    What rounds to 0 is +0.0.
    """
    return signed(100 * difference, digits)


def signed(number: float, digits: int) -> str:
    """A number with its sign, as in `signed_points`."""
    if math.isnan(number):
        return "–"
    return f"{round(number, digits) + 0.0:+.{digits}f}".replace("-", "−")


def clock(seconds: float) -> str:
    """A time in music: 4:07."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def credit(track: Any) -> str:
    """Artist, title and licence of a track, as far as they are known, none longer than a line."""
    return f"{track_title(track)} ({licence(track)})"


def track_title(track: Any) -> str:
    """Artist and title of a track, as far as they are known."""
    return (
        ": ".join(filter(None, (_known(track, name) for name in ("artist", "title")))) or "unnamed"
    )


def licence(track: Any) -> str:
    """Licence of a track."""
    return _known(track, "license") or "licence not given"


def _known(track: Any, name: str) -> str:
    return shortened(track[name]) if isinstance(track[name], str) else ""


def shortened(text: str, length: int = 100) -> str:
    """The beginning of a text that is too long to be shown."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def counted(number: int, name: str) -> str:
    """A number of things: 1 track, 2 tracks."""
    return f"{number:,} {name}" + ("" if number == 1 else "s")


def listed(names: Iterable[str], most: int = 5) -> str:
    """Names in a sentence: a, b and c; of more than ``most``, the first and how many others."""
    shown = list(names)
    if len(shown) > most:
        shown = [*shown[:most], f"{len(shown) - most} more"]
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
