"""Training, validation and test tracks, as the files of splits tell them."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd


def read_parts(split: str | Path) -> pd.Series:
    """Part of each track, index track_id, from the file of a split."""
    return pd.read_parquet(split).set_index("track_id")["split"]


def judging_part(parts: Iterable[str]) -> str:
    """Part that judges models: test, or validation where there is no test part."""
    return "test" if "test" in set(parts) else "validation"


def held_out(tracks: pd.DataFrame, split: str | Path) -> tuple[str, pd.DataFrame]:
    """Tracks that judge a network.

    Args:
        tracks: rows of tracks.parquet.
        split: file of the split.

    Returns:
        The part's name, and its tracks in the order of their ids.
    """
    parts = read_parts(split)
    part = judging_part(parts)
    return part, tracks.loc[parts.index[parts == part].sort_values()]
