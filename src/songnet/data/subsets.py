"""Training, validation and test tracks, as the files of splits tell them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def read_subsets(split: str | Path) -> pd.Series:
    """Subset of each track, index track_id, from the file of a split."""
    return pd.read_parquet(split).set_index("track_id")["split"]


def judging_subset(subsets: Iterable[str]) -> str:
    """Subset that judges models: test, or validation where there is no test subset."""
    return "test" if "test" in set(subsets) else "validation"


def artist_halves(artists: pd.Series) -> NDArray[np.bool_]:
    """Divide tracks into two halves of nearly equal size, no artist in both.

    What is chosen or fitted on one half is measured on the other (cross-fitting), so that the
    figure of the validation subset is not flattered by the choice.

    Args:
        artists: artist of each track, index track_id; a track without one counts for itself.

    Returns:
        (n,) whether a track is in the first half.
    """
    own = [f"track {track_id}" for track_id in artists.index]
    known = artists.astype(object).where(artists.notna(), own).astype(str)
    sizes = known.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    first, totals = set(), [0, 0]
    for name, size in sizes.items():
        half = int(totals[1] < totals[0])
        totals[half] += size
        if half == 0:
            first.add(name)
    return known.isin(first).to_numpy()


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
