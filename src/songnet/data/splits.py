"""Split tracks into training, validation and test subsets.

``random`` lets artists leak, ``artist`` keeps every artist in one subset, and ``official`` is the
data set's own split.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songnet.data.protocols import SUBSETS, own_subsets
from songnet.errors import SongNetError

# The artist protocol tries ORDERS orders of the artists, and up to MOST_ORDERS while the share of a
# genre deviates by more than TOLERANCE.
ORDERS, MOST_ORDERS, TOLERANCE = 30, 300, 0.02


def split_tracks(
    tracks: pd.DataFrame, protocol: str, shares: dict[str, float] | None, seed: int
) -> pd.Series:
    """Assign every track to a subset.

    Args:
        tracks: index track_id, columns genre, artist_id and official_split.
        protocol: random, artist or official.
        shares: fraction of each subset; None for official.
        seed: random seed of the split.

    Returns:
        The subset of each track, index track_id, without tracks that have no official subset.

    Raises:
        SongNetError: a genre has no track in a subset (for official, in training or validation),
            or the official column has unknown values.
    """
    rng = np.random.default_rng(seed)
    if protocol == "random":
        subsets = _random(tracks, shares or {}, rng)
    elif protocol == "artist":
        subsets = _artist(tracks, shares or {}, rng)
        _assert_disjoint(tracks, subsets)
    else:
        subsets = own_subsets(tracks)
    # A data set's own split may lack the test subset.
    for subset in SUBSETS[:2] if protocol == "official" else SUBSETS:
        lacking = set(tracks["genre"]) - set(tracks["genre"][subsets.index[subsets == subset]])
        if lacking:
            remedy = (
                "leave this protocol out, or change the split"
                if protocol == "official"
                else "it needs more artists or tracks of this genre"
            )
            raise SongNetError(
                f"config key protocols: {protocol} leaves {sorted(lacking)[0]!r} without a "
                f"{subset} track; {remedy}"
            )
    return subsets.rename("split")


def _random(tracks: pd.DataFrame, shares: dict[str, float], rng: np.random.Generator) -> pd.Series:
    """Split each genre at random by the shares, with at least one track in every subset."""
    subsets = pd.Series("", index=tracks.index, dtype=object)
    for _, group in tracks.groupby("genre", observed=True):
        order = rng.permutation(group.index.to_numpy())
        cuts = np.round(np.cumsum([shares[subset] for subset in SUBSETS]) * len(order)).astype(int)
        if len(order) >= len(SUBSETS):
            cuts[0] = np.clip(cuts[0], 1, len(order) - 2)
            cuts[1] = np.clip(cuts[1], cuts[0] + 1, len(order) - 1)
        for subset, chunk in zip(SUBSETS, np.split(order, cuts[:-1]), strict=True):
            subsets[chunk] = subset
    return subsets


def _artist(tracks: pd.DataFrame, shares: dict[str, float], rng: np.random.Generator) -> pd.Series:
    """Assign whole artists, in random order, each to the subset whose genre shares it helps most.

    A large artist late in the order upsets the shares, so the best of several orders is used.
    Assigning the largest artists first would balance better, but leave only small artists for the
    test subset. Subsets that still lack a genre then receive artists from others. Tracks without an
    artist may share one, so all of them stay in training.
    """
    genres = sorted(tracks["genre"].unique())
    counts = pd.crosstab(tracks["artist_id"], tracks["genre"]).reindex(columns=genres, fill_value=0)
    unnamed = tracks[tracks["artist_id"].isna()]["genre"].value_counts()
    unknown = unnamed.reindex(genres, fill_value=0).to_numpy()
    fractions = np.array([shares[subset] for subset in SUBSETS])[:, None]
    best = (len(SUBSETS) * len(genres), np.inf)
    for attempt in range(1, MOST_ORDERS + 1):
        order = rng.permutation(len(counts))
        assigned, filled = _assign(counts.to_numpy(), order, unknown, fractions)
        deviation = np.abs(filled / filled.sum(axis=0) - fractions).max()
        if (score := (int(np.sum(filled == 0)), deviation)) < best:
            best, chosen = score, assigned
        if attempt >= ORDERS and best <= (0, TOLERANCE):
            break
    for _ in range(ORDERS if best[0] else 0):
        if not _fill_gaps(counts.to_numpy(), chosen, unknown, fractions):
            break
        chosen, _ = _assign(counts.to_numpy(), rng.permutation(len(counts)), unknown, fractions)
    by_artist = pd.Series(np.array(SUBSETS)[chosen], index=counts.index)
    return tracks["artist_id"].map(by_artist).fillna("train")


def _assign(
    counts: NDArray[np.int64],
    order: NDArray[np.int64],
    unknown: NDArray[np.int64],
    fractions: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Assign artists to subsets greedily.

    Each step minimises the sum over subsets and genres of ((count - target) / genre total)^2.

    Returns:
        Subset index of each artist, and the resulting counts (subsets, genres).
    """
    totals = counts.sum(axis=0) + unknown
    target = fractions * totals
    filled = np.zeros_like(target)
    filled[0] = unknown
    chosen = np.empty(len(counts), dtype=np.int64)
    for artist in order:
        before = ((filled - target) / totals) ** 2
        after = ((filled + counts[artist] - target) / totals) ** 2
        chosen[artist] = np.argmin((after - before).sum(axis=1))
        filled[chosen[artist]] += counts[artist]
    return chosen, filled


def _fill_gaps(
    counts: NDArray[np.int64],
    chosen: NDArray[np.int64],
    unknown: NDArray[np.int64],
    fractions: NDArray[np.float64],
) -> int:
    """Move artists, in place, while fewer genres lack a track in a subset after the move.

    Of the moves that fill the most gaps, each step takes the one that stays closest to the targets.

    Returns:
        Number of remaining gaps; artists of several genres can block each other's moves.
    """
    totals = counts.sum(axis=0) + unknown
    while True:
        filled = np.zeros((len(fractions), len(totals)))
        filled[0] = unknown
        np.add.at(filled, chosen, counts)
        gaps = int(np.sum(filled == 0))
        best = gaps, 0.0
        for artist, subset in np.ndindex(len(chosen), len(fractions)):
            moved = filled.copy()
            moved[chosen[artist]] -= counts[artist]
            moved[subset] += counts[artist]
            score = int(np.sum(moved == 0)), (((moved - fractions * totals) / totals) ** 2).sum()
            if score < best:
                best, move = score, (artist, subset)
        if best[0] == gaps:
            return gaps
        chosen[move[0]] = move[1]


def _assert_disjoint(tracks: pd.DataFrame, subsets: pd.Series) -> None:
    subset_counts = subsets.groupby(tracks["artist_id"]).nunique()
    if (subset_counts > 1).any():
        raise AssertionError(f"artist {subset_counts.idxmax()} is in two subsets")


def split_summary(
    tracks: pd.DataFrame, subsets: pd.Series, shares: dict[str, float] | None
) -> dict[str, Any]:
    """Compute counts that show how fair a split is.

    Args:
        tracks: index track_id, columns genre and artist_id.
        subsets: subsets from `split_tracks`.
        shares: intended fractions, or None for the official split.

    Returns:
        Numbers of tracks and artists in each subset, in total and per genre; the number of test
        artists who are also in training, and the share of test tracks by them (None without a test
        subset); the number of test and training tracks without an artist; and the largest deviation
        of a genre's share from the intended one, with its genre and subset.
    """
    tracks = tracks.loc[subsets.index]  # the official split may omit tracks
    sizes = {subset: int((subsets == subset).sum()) for subset in SUBSETS}
    artists = {subset: set(tracks["artist_id"][subsets == subset].dropna()) for subset in SUBSETS}
    genres = pd.crosstab(tracks["genre"], subsets).reindex(columns=SUBSETS, fill_value=0)
    playing = tracks["artist_id"].groupby([tracks["genre"], subsets]).nunique()
    playing = playing.unstack(fill_value=0).reindex(columns=SUBSETS, fill_value=0)
    unnamed = subsets[tracks["artist_id"].isna()].value_counts()
    leaked = tracks["artist_id"].isin(artists["train"])[subsets == "test"]
    summary: dict[str, Any] = {
        "tracks": sizes,
        "artists": {subset: len(artists[subset]) for subset in SUBSETS},
        "tracks_per_genre": genres.to_dict(orient="index"),
        "artists_per_genre": playing.to_dict(orient="index"),
        "test_artists_in_train": len(artists["test"] & artists["train"]),
        "test_tracks_without_artist": int(unnamed.get("test", 0)),
        "train_tracks_without_artist": int(unnamed.get("train", 0)),
        "test_tracks_by_train_artists": round(float(leaked.mean()), 4) if len(leaked) else None,
    }
    if shares is not None:
        deviation = genres.div(genres.sum(axis=1), axis=0) - pd.Series(shares)
        genre, subset = deviation.abs().stack().idxmax()
        summary["largest_deviation"] = {
            "genre": genre,
            "subset": subset,
            "points": round(100 * float(deviation.loc[genre, subset]), 2),
        }
    return summary
