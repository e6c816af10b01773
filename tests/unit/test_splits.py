"""Properties of splits on generated data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from songnet.data.protocols import SUBSETS, check_protocols
from songnet.data.splits import split_summary, split_tracks
from songnet.data.subsets import artist_halves, held_out
from songnet.errors import SongNetError

SHARES = {"train": 0.7, "validation": 0.2, "test": 0.1}


def make_tracks(seed: int, artists: int = 300, genres: int = 4, unknown: int = 0) -> pd.DataFrame:
    """Artists with one to thirty tracks, most of them in one genre."""
    rng = np.random.default_rng(seed)
    rows = []
    for artist in range(artists):
        home = rng.integers(genres)
        for _ in range(min(30, rng.geometric(0.3))):
            genre = home if rng.random() < 0.9 else rng.integers(genres)
            rows.append((float(artist), f"genre {genre}"))
    rows += [(np.nan, f"genre {rng.integers(genres)}") for _ in range(unknown)]
    tracks = pd.DataFrame(rows, columns=["artist_id", "genre"])
    tracks["official_split"] = rng.choice(["training", "validation", "test"], len(tracks))
    return tracks.rename_axis("track_id")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 40))
def test_split_artist_keeps_artists_apart(data_seed: int, split_seed: int, unknown: int) -> None:
    tracks = make_tracks(data_seed, unknown=unknown)
    subsets = split_tracks(tracks, "artist", SHARES, split_seed)
    assert subsets.index.equals(tracks.index)
    assert set(subsets) == set(SUBSETS)
    assert (subsets.groupby(tracks["artist_id"]).nunique() == 1).all()
    assert (subsets[tracks["artist_id"].isna()] == "train").all()
    assert abs(split_summary(tracks, subsets, SHARES)["largest_deviation"]["points"]) <= 2


@pytest.mark.parametrize("seed", [1, 2])
def test_split_random_is_stratified_and_leaks(seed: int) -> None:
    tracks = make_tracks(5)
    subsets = split_tracks(tracks, "random", SHARES, seed)
    for genre, group in tracks.groupby("genre"):
        counts = subsets[group.index].value_counts()
        for subset, share in SHARES.items():
            assert abs(counts[subset] - share * len(group)) <= 1, (genre, subset)
    assert split_summary(tracks, subsets, SHARES)["test_tracks_by_train_artists"] > 0.5


@pytest.mark.parametrize("protocol", ["random", "artist"])
def test_split_tracks_depends_on_seed(protocol: str) -> None:
    tracks = make_tracks(6)
    first, again, other = (split_tracks(tracks, protocol, SHARES, seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_split_summary_counts_tracks_and_artists() -> None:
    tracks = pd.DataFrame(
        {"genre": ["Folk", "Folk", "Rock", "Rock", "Rock"], "artist_id": [1, 2, 1, 3, np.nan]}
    )
    subsets = pd.Series(["train", "test", "test", "validation", "test"], name="split")
    summary = split_summary(tracks, subsets, None)
    assert summary["tracks"] == {"train": 1, "validation": 1, "test": 3}
    assert summary["artists"] == {"train": 1, "validation": 1, "test": 2}
    assert summary["tracks_per_genre"]["Rock"] == {"train": 0, "validation": 1, "test": 2}
    # Tracks without an artist are not counted.
    assert summary["artists_per_genre"]["Rock"] == {"train": 0, "validation": 1, "test": 1}
    assert summary["test_artists_in_train"] == 1
    assert summary["test_tracks_by_train_artists"] == pytest.approx(1 / 3, abs=1e-4)


def test_split_summary_without_test_set() -> None:
    tracks = make_tracks(8)
    subsets = split_tracks(tracks, "random", SHARES, 1).replace("test", "train")
    summary = split_summary(tracks, subsets, None)
    assert summary["test_tracks_by_train_artists"] is None
    assert summary["artists_per_genre"]["genre 0"]["test"] == 0


def test_split_tracks_official_takes_the_data_sets_own_column() -> None:
    tracks = make_tracks(7)
    subsets = split_tracks(tracks, "official", SHARES, 1)
    assert (subsets == tracks["official_split"].replace("training", "train")).all()
    others = {"training": "train", "validation": "valid"}  # as in other data sets
    tracks["official_split"] = tracks["official_split"].replace(others)
    assert split_tracks(tracks, "official", SHARES, 1).equals(subsets)
    tracks.loc[3, "official_split"] = "holdout"
    with pytest.raises(SongNetError, match="track 3 has the split 'holdout'"):
        split_tracks(tracks, "official", SHARES, 1)


def test_split_tracks_official_leaves_out_tracks_without_a_split() -> None:
    tracks = make_tracks(7)
    tracks.loc[tracks.index[::3], "official_split"] = None
    subsets = split_tracks(tracks, "official", None, 1)
    assert subsets.index.equals(tracks.index[tracks["official_split"].notna()])
    summary = split_summary(tracks, subsets, None)
    assert sum(summary["tracks"].values()) == len(subsets) < len(tracks)
    genres = pd.DataFrame(summary["tracks_per_genre"]).T
    assert genres.sum().to_dict() == summary["tracks"]
    assert len(split_tracks(tracks, "random", SHARES, 1)) == len(tracks)


def test_split_artist_reports_genre_of_few_artists() -> None:
    tracks = make_tracks(8)
    tracks.loc[tracks["genre"] == "genre 2", "artist_id"] = 1.0
    with pytest.raises(SongNetError, match="genre 2"):
        split_tracks(tracks, "artist", SHARES, 1)


@pytest.mark.parametrize("protocol", ["random", "artist"])
@pytest.mark.parametrize("seed", range(5))
def test_split_tracks_of_genre_with_three_tracks(protocol: str, seed: int) -> None:
    tracks = make_tracks(9, artists=30)
    small = pd.DataFrame({"genre": ["small"] * 3, "artist_id": [1000.0, 1001.0, 1002.0]})
    tracks = pd.concat([tracks, small], ignore_index=True).rename_axis("track_id")
    for shares in (SHARES, {"train": 0.5, "validation": 0.01, "test": 0.49}):
        subsets = split_tracks(tracks, protocol, shares, seed)
        for genre, group in tracks.groupby("genre"):
            assert set(subsets[group.index]) == set(SUBSETS), genre
        if protocol == "artist":
            assert (subsets.groupby(tracks["artist_id"]).nunique() == 1).all()


def test_split_artist_moves_artists_of_several_genres() -> None:
    rows = [("Folk", 1), ("Folk", 2), ("Folk", 3), ("Rock", 2), ("Rock", 3), ("Rock", 4)]
    tracks = pd.DataFrame(rows, columns=["genre", "artist_id"]).rename_axis("track_id")
    for seed in range(10):
        subsets = split_tracks(tracks, "artist", SHARES, seed)
        assert (pd.crosstab(tracks["genre"], subsets) == 1).all(axis=None)


def test_split_artist_refuses_impossible_split() -> None:
    """Artists 3 and 4 would have to share a subset, and must not."""
    rows = [("Folk", 1), ("Folk", 2), ("Folk", 3), ("Rock", 1), ("Rock", 2), ("Rock", 4)]
    rows += [("Jazz", 1), ("Jazz", 3), ("Jazz", 4)]
    tracks = pd.DataFrame(rows, columns=["genre", "artist_id"]).rename_axis("track_id")
    with pytest.raises(SongNetError, match="artist leaves"):
        split_tracks(tracks, "artist", SHARES, 1)


@pytest.mark.parametrize(("subsets", "subset"), [(SUBSETS, "test"), (SUBSETS[:2], "validation")])
def test_held_out_is_test_or_validation(tmp_path: Path, subsets: list[str], subset: str) -> None:
    tracks = pd.DataFrame({"genre": "Rock"}, index=pd.Index(range(12), name="track_id"))
    split = pd.DataFrame({"track_id": range(11, -1, -1), "split": np.resize(subsets, 12)})
    split.to_parquet(tmp_path / "split.parquet")
    name, rows = held_out(tracks, tmp_path / "split.parquet")
    assert name == subset
    assert rows.index.tolist() == sorted(split["track_id"][split["split"] == subset])


@pytest.mark.parametrize(
    ("change", "protocols", "message"),
    [
        (
            {"artist_id": np.nan},
            ["random", "artist"],
            r"artist: no track names an artist; use 'protocols=\[random\]'",
        ),
        (
            {"artist_id": 1.0},
            ["artist"],
            r"artist: 'genre 0' has too few artists: 1, .*=\[random\]'",
        ),
        ({"official_split": "holdout"}, ["official"], "official: track 0 has the split 'holdout'"),
        ({"official_split": np.nan}, ["random", "official"], "official: no track has a split of"),
        (
            {"official_split": "train"},
            ["official"],
            "official: no track of 'genre 0' is in the validation subset",
        ),
        ({"official_split": "test"}, ["official"], "official: .* is in the train subset"),
        ({"artist_id": np.nan, "official_split": np.nan}, ["random"], ""),
        ({}, ["random", "artist", "official"], ""),
    ],
)
def test_check_protocols_reports_unmet_needs(
    change: dict[str, object], protocols: list[str], message: str
) -> None:
    tracks = make_tracks(7).assign(**change)
    if not message:
        check_protocols(tracks, protocols)
        return
    with pytest.raises(SongNetError, match=f"^config key .*{message}"):
        check_protocols(tracks, protocols)


def test_artist_halves_keep_artists_together_and_are_balanced() -> None:
    artists = pd.Series([1] * 5 + [2] * 3 + [3] * 2 + [None] * 4 + ["x"], range(50, 65))
    half = artist_halves(artists)
    assert half.sum() in (7, 8)
    for name in (1, 2, 3):
        assert half[(artists == name).to_numpy()].std() == 0
    assert 0 < half[artists.isna().to_numpy()].sum() < 4  # each track is its own group
    assert (artist_halves(artists.iloc[::-1])[::-1] == half).all()
    assert artist_halves(pd.Series(["a", "a"])).all()  # one artist cannot be split into halves
