"""Names of genres and artists, as people write them."""

import unicodedata

import pandas as pd

LONGEST_GENRE = 100  # characters; tables and figures have room for no more


def is_printable(genre: str) -> bool:
    """Whether tables, pages and figures can show the name of a genre on one line."""
    return genre.isprintable() and 0 < len(genre.strip()) <= len(genre) <= LONGEST_GENRE


def one_spelling(names: pd.Series) -> pd.Series:
    """Give names that differ only in Unicode's form, case or spaces the spelling of the first.

    Args:
        names: text or nothing.

    Returns:
        The same, with nothing where a name is empty.
    """
    same = names.map(_key, na_action="ignore")
    return names.groupby(same).transform("first")


def _key(name: str) -> str | None:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split()) or None
