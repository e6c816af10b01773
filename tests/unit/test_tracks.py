"""tracks.csv, the selection and the quarantine."""

import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from songnet.data.fma_zip import FmaZip, member_name
from songnet.data.precomputed_mels import (
    PrecomputedMels,
    mel_decibels,
    mel_ids,
    mel_lengths,
    read_mels,
)
from songnet.data.selection import (
    check_genres,
    index_tracks,
    quarantine_table,
    read_quarantine,
    select_tracks,
    shared,
    wanted_tracks,
    write_quarantine,
)
from songnet.data.shard_writer import write_shard
from songnet.data.shards import MelShards
from songnet.data.tracks import read_tracks
from songnet.demo.archives import BROKEN
from songnet.errors import SongNetError
from songnet.features.mel import MelSpectrogram


def write_metadata(path: Path, text: str | bytes, name: str = "fma_metadata/tracks.csv") -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(name, text)
    return str(path)


HEADER = "track_id,set,set,track,artist\n,split,subset,genre_top,id\n,,,,\n"


def test_read_tracks_of_demo(archives: Path) -> None:
    tracks = read_tracks(str(archives / "fma_metadata.zip"))
    assert len(tracks) == 36 + len(BROKEN)
    assert tracks["subset"].cat.ordered
    assert FmaZip([str(archives / "fma_small.zip")]).track_ids() == set(tracks.index)
    assert set(tracks["official_split"]) == {"training", "validation", "test"}
    homes = tracks.groupby("artist_id")["official_split"].nunique()
    assert (homes == 1).all()


def test_wanted_tracks_include_smaller_subsets(tmp_path: Path) -> None:
    rows = (
        "1,training,small,Rock,1\n2,training,medium,Rock,2\n3,test,large,Folk,3\n4,test,full,,4\n"
    )
    tracks = read_tracks(write_metadata(tmp_path / "m.zip", HEADER + rows))
    for subset, expected in [("small", [1]), ("medium", [1, 2]), ("large", [1, 2, 3])]:
        inside = wanted_tracks(tracks, subset, None, None)
        selected, _ = select_tracks(inside, tracks.index, {1, 2, 3, 4})
        assert list(selected.index) == expected


def test_select_tracks_and_problems(tmp_path: Path) -> None:
    rows = "".join(f"{i},training,small,{'Rock' if i % 2 else 'Folk'},{i}\n" for i in range(1, 9))
    tracks = read_tracks(write_metadata(tmp_path / "m.zip", HEADER + rows))
    inside = wanted_tracks(tracks, "small", ["Rock"], None)
    selected, problems = select_tracks(inside, tracks.index, {1, 2, 3, 5, 7, 99})
    assert list(selected.index) == [1, 3, 5, 7]
    assert list(shared(selected, 2)["shard"]) == [0, 0, 1, 1]
    assert problems == {99: "in the archive, not in tracks.csv"}
    with pytest.raises(SongNetError, match="'Jazz'"):
        wanted_tracks(tracks, "small", ["Rock", "Jazz"], None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "track_id,set,track\n,split,genre_top\n,,\n1,training,Rock\n",
            "lacks the columns set.subset",
        ),
        (HEADER + "one,training,small,Rock,1\n", "track_id that is not a number"),
        (HEADER + "1_000,training,small,Rock,1\n", "track_id that is not a number"),
        (HEADER + f"{10**20},training,small,Rock,1\n", "not a number, or is too large"),
        (HEADER + "1,training,small,Rock,1\n1,test,small,Rock,1\n", "the track 1 twice"),
        (b"\xff\xfe\x00garbage", "not a table of tracks"),
        ("", "not a table of tracks"),
    ],
)
def test_read_tracks_reports_malformed_table(tmp_path: Path, text: str, message: str) -> None:
    path = write_metadata(tmp_path / "fma_metadata.zip", text)
    with pytest.raises(SongNetError, match=message) as error:
        read_tracks(path)
    assert path in str(error.value)
    assert "\n" not in str(error.value)


def test_read_tracks_reports_bad_archive(tmp_path: Path) -> None:
    with pytest.raises(SongNetError, match=r"none\.zip: no such file"):
        read_tracks(str(tmp_path / "none.zip"))
    with pytest.raises(SongNetError, match=r"has no fma_metadata/tracks\.csv"):
        read_tracks(write_metadata(tmp_path / "m.zip", "x", name="other.csv"))
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(SongNetError, match="not a valid zip"):
        read_tracks(str(tmp_path / "text.zip"))


def test_quarantine_holds_carriage_returns(tmp_path: Path) -> None:
    names = ["Icon\r", "a,b", "=c", 'd"e']
    given = pd.DataFrame({"track_id": range(4), "file_name": names, "reason": "not audio"})
    path = str(tmp_path / "quarantine.csv")
    write_quarantine(given, path)
    assert read_quarantine(path)["file_name"].tolist() == names


def test_index_tracks_quarantines_faults_and_duplicates() -> None:
    selected = pd.DataFrame(
        {"genre": list("aabb"), "artist_id": [1, 2, 3, 4], "shard": 0,
         "file_name": ["1.mp3", "2.mp3", "3.mp3", "4.mp3"]},
        index=[1, 2, 3, 4],
    )  # fmt: skip
    clips = pd.DataFrame(
        {
            "file": "000.npy", "row": [0, 1, -1, 2], "frames": [9, 9, np.nan, 9],
            "seconds": [30.0, 30.0, np.nan, 30.0], "sample_rate": [1, 1, np.nan, 1],
            "channels": [1, 1, np.nan, 1], "sha1": ["x", "y", None, "x"],
            "problem": [None, None, "empty file", None],
        },
        index=[1, 2, 3, 4],
    )  # fmt: skip
    set_aside = quarantine_table({9: "in the archive, not in tracks.csv"}, "{}.mp3".format)
    tracks, quarantine = index_tracks(selected, clips, set_aside)
    assert list(tracks.index) == [1, 2]
    assert quarantine.to_numpy().tolist() == [
        [3, "3.mp3", "empty file"],
        [4, "4.mp3", "byte-identical to 1.mp3"],
        [9, "9.mp3", "in the archive, not in tracks.csv"],
    ]
    with pytest.raises(SongNetError, match=r"'b' has 1 usable tracks, fewer .* genres are a, b\)"):
        check_genres(selected.iloc[[0, 1, 0, 2]])


@pytest.mark.parametrize(
    ("genres", "message"),
    [
        (["Rock"] * 3, "'Rock' is the only genre with 3 usable tracks or more"),
        (["Rock"] * 3 + ["predicted"] * 3, "'predicted' would be mistaken for a column"),
    ],
)
def test_check_genres_refuses_unusable_genres(genres: list[str], message: str) -> None:
    tracks = pd.DataFrame({"genre": genres, "artist_id": range(len(genres))})
    with pytest.raises(SongNetError, match=message) as error:
        check_genres(tracks)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("subset", "clips"), [("tiny", {0, 1, 2}), ("small", {7, 8})])
def test_select_tracks_refuses_disjoint_archives(
    tmp_path: Path, subset: str, clips: set[int]
) -> None:
    rows = "".join(f"{i},training,{subset},Rock,{i}\n" for i in range(3))
    table = read_tracks(write_metadata(tmp_path / "m.zip", HEADER + rows))
    inside = wanted_tracks(table, "small", None, None)
    with pytest.raises(SongNetError, match="no usable track in common"):
        select_tracks(inside, table.index, clips)


def test_member_name_follows_fma() -> None:
    assert member_name("small", 2) == "fma_small/000/000002.mp3"
    assert member_name("large", 155_066) == "fma_large/155/155066.mp3"


def test_read_mels_returns_wanted_tracks(tmp_path: Path) -> None:
    mel = np.random.default_rng(0).integers(0, 256, (3, 32, 20), np.uint8)
    path = tmp_path / "mels-00.npz"
    np.savez(path, track_id=np.array([5, 7, 9], np.int32), mel=mel)
    found = read_mels([str(path)], np.array([9, 5]))
    assert set(found) == {5, 9}
    np.testing.assert_array_equal(found[9], mel[2])
    np.testing.assert_allclose(mel_decibels(found[9]), mel[2] * (80 / 255) - 80, atol=1e-4)
    # Also with bands and frames transposed.
    np.savez(path, track_id=np.array([5, 7, 9]), mel=np.asfortranarray(mel))
    np.testing.assert_array_equal(read_mels([str(path)], np.array([9]))[9], mel[2])


def test_mel_ids_reports_duplicate_track(tmp_path: Path) -> None:
    mel = np.zeros((2, 32, 20), np.uint8)
    for name, track_ids in {"mels-0": [5, 6], "mels-1": [7, 6], "mels-2": [8, 8]}.items():
        np.savez(tmp_path / f"{name}.npz", track_id=track_ids, mel=mel)
    for names, track_id in ((["mels-0", "mels-1"], 6), (["mels-2"], 8)):
        paths = [str(tmp_path / f"{name}.npz") for name in names]
        with pytest.raises(SongNetError, match=rf"{names[-1]}.npz: contains track {track_id} a"):
            mel_ids(paths)


def test_read_mels_loads_wanted_tracks_only(tmp_path: Path) -> None:
    mel = np.random.default_rng(0).integers(0, 256, (2000, 128, 100), np.uint8)
    np.savez(tmp_path / "mels-0.npz", track_id=np.arange(2000), mel=mel)
    tracemalloc.start()
    found = read_mels([str(tmp_path / "mels-0.npz")], np.arange(100))
    assert tracemalloc.get_traced_memory()[1] < 0.1 * mel.nbytes
    tracemalloc.stop()
    np.testing.assert_array_equal(found[99], mel[99])


def test_write_shard_sets_short_precomputed_clips_aside(tmp_path: Path) -> None:
    mel = np.random.default_rng(0).integers(0, 256, (2, 32, 20), np.uint8)
    np.savez(tmp_path / "mels-0.npz", track_id=[5, 6], mel=mel, seconds=[3.0, 30.0])
    npy, clips_csv = str(tmp_path / "000.npy"), str(tmp_path / "000.csv")
    source = PrecomputedMels([str(tmp_path / "mels-0.npz")])
    write_shard(npy, clips_csv, source, [5, 6], MelSpectrogram(), 5, 30)
    clips = pd.read_csv(clips_csv, index_col="track_id")
    assert clips.loc[5, "problem"] == "too short: 3.0 s, minimum 5 s"
    assert clips["row"].tolist() == [-1, 0]


@pytest.mark.parametrize(
    ("seconds", "lengths", "frames"),
    [
        (None, [30.0, 30.0], [60, 60]),
        (60, [60.0, 60.0], [60, 60]),
        ([10.0, 20.0, 60.0], [10.0, 60.0], [10, 60]),  # the rest is not music
    ],
)
def test_precomputed_mels_take_seconds_of_clips(
    tmp_path: Path,
    seconds: float | list[float] | None,
    lengths: list[float],
    frames: list[int],
) -> None:
    mel = np.random.default_rng(0).integers(0, 256, (3, 32, 60), np.uint8)
    paths = [str(tmp_path / f"mels-{i}.npz") for i in range(2)]
    given: dict[str, Any] = {} if seconds is None else {"seconds": np.array(seconds)}
    rate = 60 / np.max(seconds or 30)
    np.savez(paths[0], track_id=np.array([5, 7, 9]), mel=mel, **given)
    np.savez(paths[1], track_id=np.array([6]), mel=mel[:1, :, : round(30 * rate)])
    paths.append(str(tmp_path / "mels-empty.npz"))  # the last one of an export
    np.savez(paths[2], track_id=np.zeros(0, np.int64), mel=mel[:0])
    assert mel_ids(paths) == {5, 6, 7, 9}
    npy, clips_csv = str(tmp_path / "000.npy"), str(tmp_path / "000.csv")
    write_shard(npy, clips_csv, PrecomputedMels(paths), [5, 6, 9], MelSpectrogram(), 5, 30)
    clips = pd.read_csv(tmp_path / "000.csv", index_col="track_id")
    assert clips.loc[[5, 9], "seconds"].tolist() == lengths
    assert clips.loc[[5, 9], "frames"].tolist() == frames
    assert clips.loc[6].loc[["seconds", "frames"]].tolist() == [30, 30 * rate]
    assert np.load(tmp_path / "000.npy").shape == (3, 32, 60)
    shards = MelShards(tmp_path, clips)
    assert shards.frames_per_second == rate
    row = clips.index.get_loc(5)
    stored = np.load(tmp_path / "000.npy")[row]
    np.testing.assert_array_equal(shards.mel(5), stored[:, : frames[0]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mel": np.zeros((2, 32, 20), np.float32)}, "mel is float32 of shape"),
        ({"mel": np.zeros((2, 20), np.uint8)}, "mel is uint8 of shape"),
        ({"mel": np.zeros((3, 32, 20), np.uint8)}, "mel is uint8 of shape"),
        ({"mel": np.zeros((2, 28, 20), np.uint8)}, "mel has 28 bands, fewer than 29"),
        ({"mel": np.zeros((2, 32, 0), np.uint8)}, "mel is uint8 of shape"),
        ({"mel": np.zeros((2, 40, 20), np.uint8)}, "mel has 40 bands, .*mels-0.npz has 32"),
        ({"track_id": np.array(["000002", "000003"])}, "track_id is <U6, not integer"),
        ({"track_id": np.array([2.5, 3.0])}, "track_id is float64, not integer"),
        ({"track_id": np.array([True, False])}, "track_id is bool, not integer"),
        ({"mel": np.ones((2, 32, 30), np.uint8)}, "mel has 1 frames a second, .*-0.npz has 0.667"),
        ({"seconds": np.array([30.0])}, "expected seconds to be a length"),
        ({"seconds": np.array(-1)}, "expected seconds to be a length"),
        ({"seconds": np.array("long")}, "expected seconds to be a length"),
    ],
)
def test_precomputed_mels_refuse_other_arrays(
    tmp_path: Path, change: dict[str, np.ndarray], message: str
) -> None:
    paths = [str(tmp_path / f"mels-{i}.npz") for i in range(2)]
    sound: dict[str, Any] = {"track_id": np.arange(2), "mel": np.ones((2, 32, 20), np.uint8)}
    np.savez(paths[0], **sound)
    np.savez(paths[1], **(sound | {"track_id": np.arange(2, 4)} | change))
    with pytest.raises(SongNetError, match=f"mels-1.npz: {message}"):
        mel_ids(paths)
        mel_lengths(paths, np.arange(4))
    if "track_id" in change:
        with pytest.raises(SongNetError, match=f"mels-1.npz: {message}"):
            read_mels(paths, np.arange(4))


def test_wanted_tracks_sample_is_fixed_and_balanced(archives: Path) -> None:
    tracks = read_tracks(str(archives / "fma_metadata.zip"))
    first = wanted_tracks(tracks, "small", None, 5)
    assert first["genre"].value_counts().to_dict() == dict.fromkeys(tracks["genre"].unique(), 5)
    assert first.index.equals(wanted_tracks(tracks, "small", None, 5).index)
    assert set(first.index) <= set(wanted_tracks(tracks, "small", None, 7).index)
    # Not the first ones, which are often from one album.
    assert set(first.index) != set(tracks.groupby("genre").head(5).index)


def test_read_tracks_maps_labels_to_top_genres(tmp_path: Path) -> None:
    header = "track_id,set,set,track,track,artist\n,split,subset,genre_top,genres_all,id\n,,,,,\n"
    rows = (
        '1,training,small,Rock,"[12, 26]",1\n2,training,small,Folk,"[17, 26]",1\n'
        "3,test,small,Folk,[],1\n"
    )
    genres = (
        "genre_id,#tracks,parent,title,top_level\n12,1,0,Rock,12\n17,1,0,Folk,17\n26,1,12,Loud,12\n"
    )
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("fma_metadata/tracks.csv", header + rows)
        archive.writestr("fma_metadata/genres.csv", genres)
    labels = read_tracks(str(tmp_path / "m.zip"))["top_genres"]
    assert labels.tolist() == [["Rock"], ["Folk", "Rock"], None]
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("fma_metadata/tracks.csv", header + rows)
        archive.writestr("fma_metadata/genres.csv", genres + "26,1,17,Soft,17\n")
    with pytest.raises(SongNetError, match="a genre_id occurs twice"):
        read_tracks(str(tmp_path / "twice.zip"))
    with zipfile.ZipFile(tmp_path / "nothing.zip", "w") as archive:
        archive.writestr("fma_metadata/tracks.csv", header + rows)
        archive.writestr("fma_metadata/genres.csv", "\0")
    with pytest.raises(SongNetError, match=r"genres\.csv is not a table"):
        read_tracks(str(tmp_path / "nothing.zip"))


@pytest.mark.parametrize("index_row", [True, False])
@pytest.mark.parametrize("form", [" {}", "+{}", "{} ", "{}"])
def test_read_tracks_keeps_first_track_after_header(
    tmp_path: Path, form: str, index_row: bool
) -> None:
    header = "track_id,set,set,track,artist\n,split,subset,genre_top,id\n"
    rows = "".join(f"{form.format(i)},training,small,Rock,{i}\n" for i in (2, 3, 5))
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        content = header + ("track_id,,,,\n" if index_row else "") + rows
        archive.writestr("fma_metadata/tracks.csv", content)
    assert read_tracks(str(tmp_path / "m.zip")).index.tolist() == [2, 3, 5]


def test_read_tracks_unifies_spellings_of_artists(tmp_path: Path) -> None:
    header = "track_id,set,set,track,artist\n,split,subset,genre_top,id\n"
    names = ["Beyonc\u00e9", "Beyonce\u0301", "beyonc\u00e9", " Beyonc\u00e9  ", "Beyonce", "  "]
    rows = "".join(f"{i},training,small,Pop,{name}\n" for i, name in enumerate(names))
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("fma_metadata/tracks.csv", header + rows)
    artists = read_tracks(str(tmp_path / "m.zip"))["artist_id"]
    assert artists.tolist()[:5] == ["Beyonc\u00e9"] * 4 + ["Beyonce"]
    assert artists.isna().tolist()[5]


@pytest.mark.parametrize(
    ("ids", "artists"),
    [
        (["7", "12", ""], [7, 12, None]),  # FMA's ids, in numeric order
        (["007", "7", ""], ["007", "7", None]),
        # As floating-point numbers, these are equal.
        (["9007199254740993", "9007199254740992", ""], ["9007199254740993", "9007199254740992"]),
        (["Ann", "12", ""], ["Ann", "12", None]),
    ],
)
def test_read_tracks_keeps_artist_ids_apart(
    tmp_path: Path, ids: list[str], artists: list[object]
) -> None:
    header = "track_id,set,set,track,artist\n,split,subset,genre_top,id\n,,,,\n"
    rows = [f"{i},training,small,Rock,{artist}\n" for i, artist in enumerate(ids)]
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("fma_metadata/tracks.csv", header + "".join(rows))
    found = read_tracks(str(tmp_path / "m.zip"))["artist_id"]
    assert found.dropna().tolist() == [artist for artist in artists if artist is not None]
    assert found.isna().tolist() == [False, False, True]


def test_index_tracks_refuses_no_usable_clip() -> None:
    selected = pd.DataFrame({"genre": ["Rock", "Folk"], "file_name": ["", "b"]}, index=[1, 2])
    clips = pd.DataFrame({"problem": ["empty file", "too short"], "sha1": ""}, index=[1, 2])
    with pytest.raises(SongNetError, match=r"none of the 2 clips can be used \(1: empty file"):
        index_tracks(selected, clips, quarantine_table({}))
