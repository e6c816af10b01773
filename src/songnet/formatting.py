"""How shares of tracks, times, credits and reasons are written, in sentences, tables and pages.

Ours have one decimal, the poster's figures and those beside them two, as on the poster.
"""

import math
import re
from collections.abc import Iterable
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what formulas of spreadsheets begin with


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


def csv_text(text: str) -> str:
    """Text for a cell of a CSV file; what a spreadsheet would compute gets an apostrophe."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def from_csv_text(cell: str) -> str:
    """The text that `csv_text` made a cell of."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell


def markdown_text(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return re.sub(r"([|<`*\\])", r"\\\1", text)


def kind_of_reason(reason: str) -> str:
    """A reason for quarantine without what is different for each track."""
    reason = re.sub(r"(?<!minimum )\b\d[\d.]* s\b", "… s", reason)
    return re.sub(r"(?<=byte-identical to ).*", "another file", reason)


def counted(number: int, name: str) -> str:
    """A number of things: 1 track, 2 tracks."""
    return f"{number:,} {name}" + ("" if number == 1 else "s")


def listed(names: Iterable[str], most: int = 5) -> str:
    """Names in a sentence: a, b and c; of more than ``most``, the first and how many others.

    Semicolons stand between names where one of them has a comma.
    """
    shown = list(names)
    if len(shown) > most:
        shown = [*shown[:most], f"{len(shown) - most} more"]
    separator = "; " if any("," in name for name in shown) else ", "
    return " and ".join(filter(None, [separator.join(shown[:-1]), shown[-1]]))
