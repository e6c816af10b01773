"""Index, selection and splits on a list of FMA-small's size, with FMA's known faults.

SONGNET_FMA is a folder with FMA's own fma_metadata.zip (see studies/fma_like.py); without it, a
list of the same size and shape is generated.
"""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from studies.fma_like import (
    BROKEN,
    WITHOUT_ARTIST,
    clip_of,
    grow_archive,
    in_rounds,
    small_tracks,
    write_metadata,
)

from songnet.data.fma_zip import FmaZip, member_name
from songnet.data.protocols import SUBSETS
from songnet.data.selection import (
    index_tracks,
    quarantine_table,
    select_tracks,
    shared,
    wanted_tracks,
)
from songnet.data.shard_writer import CLIP_COLUMNS, write_shard
from songnet.data.splits import split_summary, split_tracks
from songnet.data.tracks import read_tracks
from songnet.features.mel import MelSpectrogram

SHARES = {"train": 0.7, "validation": 0.2, "test": 0.1}
SHARDS = 64


@pytest.fixture(scope="module")
def listed() -> pd.DataFrame:
    return small_tracks(os.environ.get("SONGNET_FMA"))


@pytest.fixture(scope="module")
def selected(listed: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    path = tmp_path_factory.mktemp("metadata") / "fma_metadata.zip"
    write_metadata(path, listed)
    tracks = read_tracks(str(path))
    inside = wanted_tracks(tracks, "small", None, None)
    selected, problems = select_tracks(inside, tracks.index, set(listed.index))
    selection = shared(selected.assign(file_name=""), SHARDS)
    assert not problems
    return selection


@pytest.fixture(scope="module")
def twins(listed: pd.DataFrame) -> list[tuple[int, int]]:
    """Return pairs of tracks with identical files in different subsets and by different artists."""
    sound = in_rounds(listed.drop(index=list(BROKEN)))
    training = sound.index[sound["official_split"] == "training"][:40]
    test = sound.index[sound["official_split"] == "test"][:40]
    return list(zip(training, test, strict=True))


@pytest.fixture(scope="module")
def usable(
    selected: pd.DataFrame, twins: list[tuple[int, int]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tracks and quarantine of FMA-small, with its faults as shards would report them."""
    clips = pd.DataFrame(index=selected.index, columns=CLIP_COLUMNS)
    clips["problem"] = clips["problem"].astype(object)
    clips["row"] = selected.groupby("shard").cumcount()
    clips[["frames", "seconds", "sample_rate", "channels"]] = [1292, 30.0, 44_100, 2]
    clips["sha1"] = [f"{i:040x}" for i in selected.index]
    for first, second in twins:
        clips.loc[second, "sha1"] = clips.loc[first, "sha1"]
    clips.loc[list(BROKEN), "problem"] = "too short or no audio"
    return index_tracks(selected, clips, quarantine_table({}))


def test_select_tracks_of_fma_small_list(listed: pd.DataFrame, selected: pd.DataFrame) -> None:
    assert selected.index.equals(listed.index)
    assert len(selected) == 8000
    assert set(selected["genre"].value_counts()) == {1000}
    assert selected["artist_id"].isna().sum() == WITHOUT_ARTIST
    sizes = selected.groupby("shard").size()
    assert len(sizes) == SHARDS
    assert sizes.max() - sizes.min() <= 1
    counts = pd.crosstab(selected["official_split"], selected["genre"])
    assert {subset: set(row) for subset, row in counts.iterrows()} == {
        "training": {800}, "validation": {100}, "test": {100}
    }  # fmt: skip


def test_index_tracks_of_fma_small_list(
    usable: tuple[pd.DataFrame, pd.DataFrame], twins: list[tuple[int, int]]
) -> None:
    tracks, quarantine = usable
    reasons = quarantine.set_index("track_id")["reason"]
    assert set(reasons.index) == {*BROKEN, *(max(pair) for pair in twins)}
    for pair in twins:
        assert reasons[max(pair)] == f"byte-identical to track {min(pair)}"
        assert min(pair) in tracks.index
    assert len(tracks) == 8000 - len(reasons)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_split_artist_of_fma_small_list(
    usable: tuple[pd.DataFrame, pd.DataFrame], seed: int
) -> None:
    tracks, _ = usable
    subsets = split_tracks(tracks, "artist", SHARES, seed)
    assert set(subsets) == set(SUBSETS)
    assert (subsets.groupby(tracks["artist_id"]).nunique() == 1).all()
    # One of them in test could be by an artist in training.
    assert set(subsets[tracks["artist_id"].isna()]) == {"train"}
    summary = split_summary(tracks, subsets, SHARES)
    assert summary["test_artists_in_train"] == 0
    assert abs(summary["largest_deviation"]["points"]) <= 2


def test_split_official_of_fma_small_list(
    usable: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """Without FMA's own list, this only tests that the split is kept."""
    tracks, _ = usable
    subsets = split_tracks(tracks, "official", SHARES, 1)
    assert (subsets.groupby(tracks["artist_id"]).nunique() == 1).all()
    known = tracks["artist_id"].notna()
    assert split_summary(tracks, subsets, None)["test_tracks_by_train_artists"] == 0
    assert known.sum() > 7800


def test_wanted_tracks_sample_of_fma_small_list(listed: pd.DataFrame, tmp_path: Path) -> None:
    write_metadata(tmp_path / "fma_metadata.zip", listed)
    tracks = read_tracks(str(tmp_path / "fma_metadata.zip"))
    sample = wanted_tracks(tracks, "small", None, 50)
    assert set(sample["genre"].value_counts()) == {50}
    assert len(sample) == 400
    # Sampled from everywhere, not from the first albums.
    assert sample["artist_id"].nunique() > 200


def encoded(seconds: float, rate: int, channels: int, opposite: bool = False) -> bytes:
    samples = np.random.default_rng(rate).normal(size=(int(seconds * rate), channels)) / 10
    if opposite:
        samples[:, 1] = -samples[:, 0]
    file = io.BytesIO()
    sf.write(file, samples.astype(np.float32), rate, format="MP3")
    return file.getvalue()


def test_quarantine_finds_faults_by_rule(listed: pd.DataFrame, tmp_path: Path) -> None:
    """Broken clips, short ones, mixed sample rates: only the content of a file decides."""
    path = tmp_path / "fma_small.zip"
    pool = [encoded(30, 44_100, 2)]
    sound = in_rounds(listed.drop(index=list(BROKEN))).index[:3]
    chosen = listed.loc[[*BROKEN, *sound]]
    grow_archive(path, chosen, pool, chosen)
    mixed = {900_001: (30, 48_000, 2), 900_002: (30, 22_050, 1), 900_003: (12, 32_000, 1),
             900_004: (4, 44_100, 2)}  # fmt: skip
    with zipfile.ZipFile(path, "a", zipfile.ZIP_BZIP2) as archive:
        for track_id, form in mixed.items():
            archive.writestr(member_name("small", track_id), encoded(*form))
        archive.writestr(member_name("small", 900_005), encoded(30, 44_100, 2, opposite=True))
        assert archive.testzip() is None
    source = FmaZip([str(path)])
    assert source.track_ids() == {*chosen.index, *mixed, 900_005}
    npy, csv = str(tmp_path / "000.npy"), str(tmp_path / "000.csv")
    write_shard(npy, csv, source, sorted(source.track_ids()), MelSpectrogram(), 5, 30)
    clips = pd.read_csv(csv, index_col="track_id")
    problems = clips["problem"].dropna()
    assert set(problems.index) == {*BROKEN, 900_004, 900_005}
    assert problems[900_005] == "silent: nothing above -80 dB"  # the channels cancel out
    for track_id, seconds in BROKEN.items():
        assert problems[track_id].startswith("too short" if seconds else "not decodable")
    assert clips.loc[sound, "sha1"].nunique() == 3  # their tags differ
    assert clip_of(sound[0], pool) != clip_of(sound[1], pool)
    usable = clips.drop(index=problems.index)
    assert set(usable["sample_rate"]) == {44_100, 48_000, 22_050, 32_000}
    assert (usable["frames"].drop(900_003) == 1292).all()
    assert usable.loc[900_003, "frames"] == MelSpectrogram().frames(12)
    assert np.load(npy).shape == (len(usable), 128, 1292)
