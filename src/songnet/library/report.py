"""Write a report page about a library, which opens offline."""

from pathlib import Path
from typing import Any

import pandas as pd

from songnet import __version__
from songnet.colours import genre_colours
from songnet.formatting import counted, percent, shortened
from songnet.library.columns import Row
from songnet.library.summary import Group, Summary, agreement, largest, summarise, two_likeliest
from songnet.report.pages import write_page


def write_library_page(table: Path, page: Path, min_confidence: float) -> None:
    """Write the report page of a library.

    Args:
        table: table of the library.
        page: output path.
        min_confidence: minimum probability of the predictions that tags are compared with.

    Raises:
        SongNetError: the table cannot be read.
    """
    summary = summarise(table, min_confidence)
    write_page(
        "library.html",
        page,
        version=__version__,
        dataset={"title": "library", "note": ""},
        table=table.name,
        found=summary,
        headline=headline(summary),
        facts=facts(summary),
        colours=genre_colours(summary.genres),
        genres=genre_table(summary.total),
        folders=bars(summary.folders),
        artists=bars(summary.artists),
        unknown=bars({t: g for t, g in summary.tags.items() if summary.known(t) is None}),
        agreement=agreement_table(summary),
        unsure=[song(row, summary) for row in summary.unsure.items()],
        audit=[song(row, summary) for row in summary.audit.items()],
        errors=summary.errors.most_common(20),
    )


def headline(summary: Summary) -> str:
    """Summarise the library in one sentence."""
    total = summary.total
    if not total.genres:
        return f"{counted(total.files, 'file')} without a sure genre"
    genre, count = total.genres.most_common(1)[0]
    sure = sum(total.genres.values())
    return f"{total.files:,} files, mostly {genre} ({percent(count / sure, 0)} of the sure ones)"


def facts(summary: Summary) -> dict[str, str]:
    """Return names and values of the facts about the library."""
    total = summary.total
    return {
        "folder": summary.root,
        "music": f"{summary.seconds / 3600:,.1f} hours",
        "sure": counted(sum(total.genres.values()), "file"),
        "unsure": f"{counted(total.unsure, 'file')}: another genre is nearly as likely",
        "without a genre": counted(total.errors, "file"),
        "model": summary.model,
    } | (
        {"not counted": f"{counted(summary.others, 'file')} of other folders, by another model"}
        if summary.others
        else {}
    )


def genre_table(total: Group) -> pd.DataFrame:
    """Count the files of each genre."""
    sure = max(1, sum(total.genres.values()))
    rows = [(genre, f"{n:,}", percent(n / sure)) for genre, n in total.genres.most_common()]
    return pd.DataFrame(rows, columns=["genre", "files", "share"])


def bars(groups: dict[str, Group]) -> list[dict[str, Any]]:
    """Return table rows with a bar of genres for each of the largest groups, and for the rest."""
    rows = [
        {"name": shortened(name, 60), "shares": group.shares, "group": group}
        for name, group in largest(groups)
    ]
    rest = Group()
    for _, group in largest(groups, len(groups))[len(rows) :]:
        rest.files += group.files
        rest.genres += group.genres
        rest.unsure += group.unsure
        rest.errors += group.errors
    if rest.files:
        name = f"{len(groups) - len(rows):,} more"
        rows.append({"name": name, "shares": rest.shares, "group": rest})
    return rows


def agreement_table(summary: Summary) -> pd.DataFrame:
    """Tabulate how often tags and sure predictions agree."""
    rows = []
    for row in agreement(summary):
        others = ", ".join(f"{genre} {n:,}" for genre, n in row["others"].most_common(2))
        share = percent(row["agreeing"] / row["files"], 0)
        rows.append((row["tag"], f"{row['files']:,}", share, others or "–"))
    return pd.DataFrame(rows, columns=["tag", "files", "agree", "other predictions"])


def song(row: Row, summary: Summary) -> dict[str, str]:
    """Return the cells of one file in a list of songs."""
    names = ": ".join(filter(None, [row["artist"], row["title"]]))
    shares = (f"{genre} {percent(p, 0)}" for genre, p in two_likeliest(row, summary.genres))
    path = Path(row["path"])
    return {
        "name": shortened(names or path.stem),
        "path": str(path.relative_to(summary.root)),
        "address": path.as_uri(),
        "tag": row["tag_genre"] or "",
        "likeliest": ", ".join(shares),
    }
