"""Formatting of percentages, times, credits and reasons in sentences, tables and pages.

Percentages have one decimal; the poster's numbers have two, as on the poster.
"""

import csv
import io
import math
import re
from collections.abc import Iterable
from typing import Any, Literal

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # first characters of spreadsheet formulas


def percent(share: float | None, digits: int = 1) -> str:
    """Format a fraction as a percentage such as 53.4 %, or as – if it is None or NaN."""
    found = in_percent(share, digits)
    return found if found == "–" else f"{found} %"


def in_percent(share: float | None, digits: int = 1) -> str:
    """Format a fraction as a percentage without the sign, for columns and axes in %."""
    return "–" if share is None or math.isnan(share) else f"{100 * share:.{digits}f}"


def signed_points(difference: float, digits: int = 1) -> str:
    """Format a difference of fractions in percentage points: +9.7, −0.4, or – if it is NaN.

    Differences that round to zero are written +0.0.
    """
    return signed(100 * difference, digits)


def signed(number: float, digits: int) -> str:
    """Format a number with its sign, as `signed_points` does."""
    if math.isnan(number):
        return "–"
    return f"{round(number, digits) + 0.0:+.{digits}f}".replace("-", "−")


def clock(seconds: float) -> str:
    """Format a time in a piece of music as 4:07."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def credit(track: Any) -> str:
    """Return artist, title and licence of a track, as far as known, each at most a line long."""
    return f"{track_title(track)} · {licence(track)}"


def track_title(track: Any) -> str:
    """Return artist and title of a track, as far as known."""
    return (
        ": ".join(filter(None, (_known(track, name) for name in ("artist", "title")))) or "unnamed"
    )


def licence(track: Any) -> str:
    """Return the licence of a track."""
    return _known(track, "license") or "licence not given"


def _known(track: Any, name: str) -> str:
    return shortened(track[name]) if isinstance(track[name], str) else ""


def shortened(text: str, length: int = 100) -> str:
    """Truncate a text to ``length`` characters, ending in an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def csv_text(text: str) -> str:
    """Escape a text for a CSV cell: a text that looks like a formula gets an apostrophe."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def from_csv_text(cell: str) -> str:
    """Undo `csv_text`."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell


def csv_row(cells: Iterable[Any]) -> str:
    """Format a row of a CSV file, with its line break.

    Python 3.11 does not quote a lone carriage return, which readers take for a line break.
    """
    row = list(cells)
    has_return = any("\r" in str(cell) for cell in row)
    text = io.StringIO()
    quoting: Literal[0, 1] = csv.QUOTE_ALL if has_return else csv.QUOTE_MINIMAL
    csv.writer(text, lineterminator="\n", quoting=quoting).writerow(row)
    return text.getvalue()


def markdown_text(text: str) -> str:
    """Escape a text for a cell of a Markdown table."""
    return re.sub(r"([|<`*\\])", r"\\\1", text)


def kind_of_reason(reason: str) -> str:
    """Remove the track-specific parts of a quarantine reason, so that reasons can be counted."""
    reason = re.sub(r"(?<!minimum )\b\d[\d.]* s\b", "… s", reason)
    return re.sub(r"(?<=byte-identical to ).*", "another file", reason)


def counted(number: int, name: str) -> str:
    """Format a count with its noun: 1 track, 2 tracks."""
    return f"{number:,} {name}" + ("" if number == 1 else "s")


def listed(names: Iterable[str], most: int = 5) -> str:
    """Join names for a sentence: a, b and c.

    More than ``most`` names are shortened to the first ones and the number of the others. If a
    name contains a comma, semicolons separate the names.
    """
    shown = list(names)
    if len(shown) > most:
        shown = [*shown[:most], f"{len(shown) - most} more"]
    separator = "; " if any("," in name for name in shown) else ", "
    return " and ".join(filter(None, [separator.join(shown[:-1]), shown[-1]]))
