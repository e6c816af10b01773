"""Training, validation and test tracks, read from split files."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songnet.errors import SongNetError


def read_subsets(split: str | Path) -> pd.Series:
    """Read the subset of each track, index track_id, from a split file."""
    return pd.read_parquet(split).set_index("track_id")["split"]


def judging_subset(subsets: Iterable[str]) -> str:
    """Return the subset that models are evaluated on: test, or validation if there is no test."""
    return "test" if "test" in set(subsets) else "validation"


def check_every_genre(kept: pd.Series, genres: pd.Series, features: str) -> None:
    """Check that training tracks of every genre have features.

    Args:
        kept: genres of the training tracks that have features.
        genres: genres of all training tracks.
        features: name of the features.

    Raises:
        SongNetError: no such track is left of a genre.
    """
    if lost := sorted(set(genres) - set(kept)):
        raise SongNetError(
            f"{features}: no training track of the genre {lost[0]!r} has these features; add rows "
            "to the table, or leave the genre out"
        )


def artist_halves(artists: pd.Series) -> NDArray[np.bool_]:
    """Split tracks into two halves of nearly equal size with disjoint artists.

    Models chosen or fitted on one half are measured on the other (cross-fitting), so that the
    validation accuracy is not biased by the choice.

    Args:
        artists: artist of each track, index track_id; a track without one is its own group.

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
    """Return the tracks that a network is evaluated on.

    Args:
        tracks: rows of tracks.parquet.
        split: path of the split file.

    Returns:
        The name of the subset, and its tracks in the order of their ids.
    """
    subsets = read_subsets(split)
    subset = judging_subset(subsets)
    return subset, tracks.loc[subsets.index[subsets == subset].sort_values()]
