"""Splits of the tracks into training, validation and test subsets.

``random`` lets artists leak; ``artist`` keeps every artist in one subset; ``official`` is the data
set's own split.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songnet.data.protocols import SUBSETS, own_subsets
from songnet.errors import SongNetError

# Orders that the artist protocol tries, and more where genre shares are off by more than TOLERANCE.
ORDERS, MOST_ORDERS, TOLERANCE = 30, 300, 0.02


def split_tracks(
    tracks: pd.DataFrame, protocol: str, shares: dict[str, float] | None, seed: int
) -> pd.Series:
    """Assign every track to a subset.

    Args:
        tracks: index track_id; genre, artist_id, official_split.
        protocol: random, artist or official.
        shares: fraction of each subset; None for official, which has its own.
        seed: of the split.

    Returns:
        The subset of each track that takes part, index track_id. Those that the official column
        gives no subset do not.

    Raises:
        SongNetError: a genre has no track in a subset (of the official column, in training or
            validation), or the official column has other values.
    """
    rng = np.random.default_rng(seed)
    if protocol == "random":
        subsets = _random(tracks, shares or {}, rng)
    elif protocol == "artist":
        subsets = _artist(tracks, shares or {}, rng)
        _assert_disjoint(tracks, subsets)
    else:
        subsets = own_subsets(tracks)
    # A data set's own split may leave the test subset out.
    for subset in SUBSETS[:2] if protocol == "official" else SUBSETS:
        lacking = set(tracks["genre"]) - set(tracks["genre"][subsets.index[subsets == subset]])
        if lacking:
            mend = (
                "leave this protocol out, or change the split"
                if protocol == "official"
                else "it needs more artists or tracks of this genre"
            )
            raise SongNetError(
                f"config key protocols: {protocol} leaves {sorted(lacking)[0]!r} without a "
                f"{subset} track; {mend}"
            )
    return subsets.rename("split")


def _random(tracks: pd.DataFrame, shares: dict[str, float], rng: np.random.Generator) -> pd.Series:
    """Stratified: each genre is shuffled and cut at the shares, with a track for each subset."""
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
    """Whole artists, in random order, each to the subset that it brings nearest to its target.

    A large artist that comes late upsets the shares, so the best of several orders counts; taking
    the largest first would balance better but leave only small artists for the test subset. What a
    small genre lacks after that is moved to it. Tracks without an artist could be anybody's, so
    they stay together, in training.
    """
    genres = sorted(tracks["genre"].unique())
    counts = pd.crosstab(tracks["artist_id"], tracks["genre"]).reindex(columns=genres, fill_value=0)
    unnamed = tracks[tracks["artist_id"].isna()]["genre"].value_counts()
    unknown = unnamed.reindex(genres, fill_value=0).to_numpy()
    wanted = np.array([shares[subset] for subset in SUBSETS])[:, None]
    best = (len(SUBSETS) * len(genres), np.inf)
    for attempt in range(1, MOST_ORDERS + 1):
        order = rng.permutation(len(counts))
        assigned, filled = _assign(counts.to_numpy(), order, unknown, wanted)
        off = np.abs(filled / filled.sum(axis=0) - wanted).max()
        if (found := (int(np.sum(filled == 0)), off)) < best:
            best, chosen = found, assigned
        if attempt >= ORDERS and best <= (0, TOLERANCE):
            break
    for _ in range(ORDERS if best[0] else 0):
        if not _fill_gaps(counts.to_numpy(), chosen, unknown, wanted):
            break
        chosen, _ = _assign(counts.to_numpy(), rng.permutation(len(counts)), unknown, wanted)
    by_artist = pd.Series(np.array(SUBSETS)[chosen], index=counts.index)
    return tracks["artist_id"].map(by_artist).fillna("train")


def _assign(
    counts: NDArray[np.int64],
    order: NDArray[np.int64],
    unknown: NDArray[np.int64],
    wanted: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Subset of each artist and the counts (subsets, genres) that result.

    The distance that each step lowers is the sum over subsets and genres of
    ((count - target) / genre total)^2.
    """
    totals = counts.sum(axis=0) + unknown
    target = wanted * totals
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
    wanted: NDArray[np.float64],
) -> int:
    """Move artists, in place, while that leaves fewer genres without a track in a subset.

    Of the moves that fill most gaps, each step takes the one that keeps nearest to the targets.

    Returns:
        Gaps that remain: artists of several genres can stand in each other's way.
    """
    totals = counts.sum(axis=0) + unknown
    while True:
        filled = np.zeros((len(wanted), len(totals)))
        filled[0] = unknown
        np.add.at(filled, chosen, counts)
        gaps = int(np.sum(filled == 0))
        best = gaps, 0.0
        for artist, subset in np.ndindex(len(chosen), len(wanted)):
            moved = filled.copy()
            moved[chosen[artist]] -= counts[artist]
            moved[subset] += counts[artist]
            found = int(np.sum(moved == 0)), (((moved - wanted * totals) / totals) ** 2).sum()
            if found < best:
                best, move = found, (artist, subset)
        if best[0] == gaps:
            return gaps
        chosen[move[0]] = move[1]


def _assert_disjoint(tracks: pd.DataFrame, subsets: pd.Series) -> None:
    homes = subsets.groupby(tracks["artist_id"]).nunique()
    if (homes > 1).any():
        raise AssertionError(f"artist {homes.idxmax()} is in two subsets")


def split_summary(
    tracks: pd.DataFrame, subsets: pd.Series, shares: dict[str, float] | None
) -> dict[str, Any]:
    """Counts that show how fair a split is.

    Args:
        tracks: index track_id; genre, artist_id.
        subsets: from `split_tracks`.
        shares: intended fractions, or None for the official column.

    Returns:
        tracks and artists of each subset, of all genres and of each; how many artists of the test
        subset also stand in training, and the share of test tracks by them (None without a test
        subset); how many tracks of test and training name no artist; the largest deviation of a
        genre's share from the intended one, with its place.
    """
    tracks = tracks.loc[subsets.index]  # those that take part
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
        away = genres.div(genres.sum(axis=1), axis=0) - pd.Series(shares)
        genre, subset = away.abs().stack().idxmax()
        summary["largest_deviation"] = {
            "genre": genre,
            "subset": subset,
            "points": round(100 * float(away.loc[genre, subset]), 2),
        }
    return summary
