"""Training, validation and test tracks, as the files of splits tell them."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd


def read_subsets(split: str | Path) -> pd.Series:
    """Subset of each track, index track_id, from the file of a split."""
    return pd.read_parquet(split).set_index("track_id")["split"]


def judging_subset(subsets: Iterable[str]) -> str:
    """Subset that judges models: test, or validation where there is no test subset."""
    return "test" if "test" in set(subsets) else "validation"


def held_out(tracks: pd.DataFrame, split: str | Path) -> tuple[str, pd.DataFrame]:
    """Tracks that judge a network.

    Args:
        tracks: rows of tracks.parquet.
        split: file of the split.

    Returns:
        The subset's name, and its tracks in the order of their ids.
    """
    subsets = read_subsets(split)
    subset = judging_subset(subsets)
    return subset, tracks.loc[subsets.index[subsets == subset].sort_values()]
