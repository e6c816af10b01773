"""Names of genres and artists: validity and consistent spelling."""

import unicodedata

import pandas as pd

LONGEST_GENRE = 100  # characters that fit into tables and figures


def is_printable(genre: str) -> bool:
    """Return whether tables, pages and figures can show the name of a genre on one line."""
    return genre.isprintable() and 0 < len(genre.strip()) <= len(genre) <= LONGEST_GENRE


def one_spelling(names: pd.Series) -> pd.Series:
    """Unify names that differ only in Unicode normalisation, case or spaces.

    Args:
        names: names; missing values are allowed.

    Returns:
        The names in the spelling that occurs first; empty names become missing values.
    """
    same = names.map(_key, na_action="ignore")
    return names.groupby(same).transform("first")


def _key(name: str) -> str | None:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split()) or None
