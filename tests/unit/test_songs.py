"""The user's own songs: found, labelled, listed and read."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pandas as pd
import pytest

from songnet.data.audio_files import audio_files
from songnet.data.file_tags import Tags, read_tags
from songnet.data.folder import Folder, read_songs
from songnet.data.manifest import read_manifest
from songnet.data.selection import choose_tracks
from songnet.data.shard_writer import write_shard
from songnet.data.songs import list_songs, write_songs
from songnet.errors import SongNetError
from songnet.features.audio import average_channels
from songnet.features.mel import MelSpectrogram
from tests.variants import RATE, ffmpeg, mp3, music, wav

FILES = [
    "Rock/Ann/1.mp3", "Rock/Ann/2.mp3", "Rock/Bob/Album/3", "Folk/Cid/4.wav", "Folk/5.wav",
    "Folk/cover.JPG", "notes.txt", "loose.mp3", ".hidden/6.mp3",
]  # fmt: skip


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder with songs of two genres, and other files."""
    for name in FILES:
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "music"


def usable(songs: pd.DataFrame) -> pd.DataFrame:
    return songs[songs["problem"].isna()].set_index("file_name")


def test_list_songs_by_paths(library: Path) -> None:
    songs = list_songs(str(library), None, None)
    found = usable(songs)
    assert found["genre"].to_dict() == {
        "Folk/5.wav": "Folk", "Folk/Cid/4.wav": "Folk", "Rock/Ann/1.mp3": "Rock",
        "Rock/Ann/2.mp3": "Rock", "Rock/Bob/Album/3": "Rock",
    }  # fmt: skip
    assert found["artist"].fillna("").tolist() == ["", "Cid", "Ann", "Ann", "Bob"]
    assert found["title"].tolist() == ["5", "4", "1", "2", "3"]
    problems = songs.set_index("file_name")["problem"].dropna().to_dict()
    assert problems == {
        "Folk/cover.JPG": "not audio, by its name (*.jpg)",
        "notes.txt": "not audio, by its name (*.txt)",
        "loose.mp3": "not in a genre folder",
    }
    assert list(songs.index) == list(range(1, 9))


def test_list_songs_by_a_layout(library: Path) -> None:
    found = usable(list_songs(str(library), None, "{genre}/{artist}/{title}"))
    assert set(found.index) == {"Rock/Ann/1.mp3", "Rock/Ann/2.mp3", "Folk/Cid/4.wav"}


def test_list_songs_of_a_list_are_named_below_their_common_folder(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (library.parent / "songs.txt").write_text("music/Rock/Ann/1.mp3\nmusic/Folk/5.wav\n")
    monkeypatch.chdir(library.parent)
    found = usable(list_songs("songs.txt", None, None))
    assert found["genre"].to_dict() == {"Rock/Ann/1.mp3": "Rock", "Folk/5.wav": "Folk"}
    assert [os.fsdecode(path) for path in found["path"]] == (
        library.parent / "songs.txt"
    ).read_text().split()


def test_list_songs_unifies_spellings_of_names(tmp_path: Path) -> None:
    for name in ("Pop/Beyonc\u00e9/1", "pop/Beyonce\u0301/2", "Rock/x/3"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.mp3").touch()
    songs = list_songs(str(tmp_path), None, "{genre}/{artist}/*/{title}")
    assert songs.groupby("genre", sort=False)["artist"].nunique().to_dict() == {"Pop": 1, "Rock": 1}


def test_folder_reads_names_that_are_not_utf_8(tmp_path: Path) -> None:
    for genre in ("Rock", "Folk"):
        (tmp_path / genre).mkdir()
        (tmp_path / genre / os.fsdecode(b"caf\xe9.wav")).write_bytes(wav(6))
    write_songs(str(tmp_path), None, None, tmp_path / "songs.parquet")
    source = Folder([str(tmp_path / "songs.parquet")])
    assert source.file_name(1) == r"Folk/caf\xe9.wav"
    with source.opened() as read, read(1) as file:
        assert file.read(4) == b"RIFF"


ROWS: list[dict[str, Any]] = [
    {"file_name": "Rock/Ann/1.mp3", "genre": "R&B", "artist": "Ann", "split": "train"},
    {"file_name": "Rock/Ann/2.mp3", "genre": "R&B", "artist": "Ann", "split": "validation"},
    {"file_name": "Rock/Bob/Album/3", "genre": "R&B", "artist": "Bob", "split": None},
    {"file_name": "Folk/Cid/4.wav", "genre": "Folk", "artist": "Cid", "split": "train"},
    {"file_name": "Folk/5.wav", "genre": "Folk", "artist": None, "split": "validation"},
    {"file_name": "loose.mp3", "genre": None, "artist": None, "split": None},
    {"file_name": "gone.mp3", "genre": "Folk", "artist": None, "split": None},
]


def as_csv(rows: list[dict[str, Any]], folder: Path) -> Path:
    pd.DataFrame(rows).to_csv(folder / "metadata.csv", index=False, encoding="utf-8-sig")
    return folder / "metadata.csv"


def as_parquet(rows: list[dict[str, Any]], folder: Path) -> Path:
    pd.DataFrame(rows).to_parquet(folder / "metadata.parquet")
    return folder / "metadata.parquet"


def as_jsonl(rows: list[dict[str, Any]], folder: Path) -> Path:
    lines = "\n".join(json.dumps(row) for row in rows)
    (folder / "metadata.jsonl").write_text(lines)
    return folder / "metadata.jsonl"


Write = Callable[[list[dict[str, Any]], Path], Path]


@pytest.mark.parametrize("write", [as_csv, as_parquet, as_jsonl])
@pytest.mark.parametrize("named", [False, True])
def test_list_songs_by_a_manifest(library: Path, write: Write, named: bool) -> None:
    manifest = write(ROWS, library)
    songs = list_songs(str(manifest if named else library), None, None)
    found = usable(songs)
    for name in ("genre", "artist", "split"):
        expected = {row["file_name"]: row[name] for row in ROWS[:5]}
        assert found[name].astype(object).where(found[name].notna(), None).to_dict() == expected
    assert found["title"]["Rock/Bob/Album/3"] == "3"
    problems = songs.set_index("file_name")["problem"].dropna().to_dict()
    others = {
        "Folk/cover.JPG": "not audio, by its name (*.jpg)",
        "notes.txt": "not audio, by its name (*.txt)",
    }
    assert problems == ({} if named else others) | {
        "loose.mp3": f"no genre in {manifest.name}",
        "gone.mp3": "cannot be read: No such file or directory",
    }
    # An explicit setting takes precedence over the manifest.
    assert usable(list_songs(str(library), "path", None))["genre"]["Rock/Ann/1.mp3"] == "Rock"


def test_list_songs_sets_aside_songs_outside_manifest(library: Path) -> None:
    as_csv(ROWS[1:5], library)
    songs = list_songs(str(library), None, None).set_index("file_name")
    assert songs["problem"]["Rock/Ann/1.mp3"] == "not in metadata.csv"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"file_name": "a"}], "has no column genre (it has: file_name)"),
        ([{"genre": "a"}], "has no column file_name (it has: genre)"),
        ([ROWS[0], ROWS[0]], "file_name Rock/Ann/1.mp3 is listed twice"),
        ([ROWS[0], ROWS[1] | {"file_name": None}], "row 2 has no file_name"),
    ],
)
@pytest.mark.parametrize("write", [as_csv, as_parquet, as_jsonl])
def test_list_songs_refuses_incomplete_manifest(
    library: Path, write: Write, rows: list[dict[str, Any]], message: str
) -> None:
    manifest = write(rows, library)
    with pytest.raises(SongNetError) as error:
        list_songs(str(library), None, None)
    assert str(error.value) == f"{manifest}: {message}"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.csv", b"\xff\xfe\x00"),
        ("metadata.csv", b""),
        ("metadata.csv", b'file_name,genre\n"a,b\n'),
        ("metadata.parquet", b"PAR1"),
        ("metadata.jsonl", b'{"file_name": "a", "genre": "b"}\n{'),
        ("metadata.jsonl", b"[1]"),
    ],
)
def test_list_songs_refuses_malformed_manifest(library: Path, name: str, content: bytes) -> None:
    (library / name).write_bytes(content)
    with pytest.raises(SongNetError, match=f"{name}: is not a table of songs: ") as error:
        list_songs(str(library), None, None)
    assert "\n" not in str(error.value)


def test_list_songs_refuses_two_manifests(library: Path) -> None:
    as_csv(ROWS, library)
    as_jsonl(ROWS, library)
    with pytest.raises(SongNetError, match=r"has metadata.csv and metadata.jsonl; remove one"):
        list_songs(str(library), None, None)


def tagged(path: Path, content: bytes, **tags: str) -> None:
    path.write_bytes(content)
    file = mutagen.File(path, easy=True)
    if file.tags is None:
        file.add_tags()
    for name, text in tags.items():
        file[name] = text
    file.save()


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".flac", ".ogg", ".opus"])
def test_read_tags_by_format(tmp_path: Path, suffix: str) -> None:
    content = mp3() if suffix == ".mp3" else ffmpeg(wav(), suffix)
    path = tmp_path / f"song{suffix}"
    tagged(path, content, genre="Hip-Hop; Rap", artist="  Ann\tB", title="Äh")
    assert read_tags(path) == Tags("Hip-Hop", "Ann B", "Äh")
    path.write_bytes(content)
    assert read_tags(path).genre is None


def test_read_tags_of_frames_without_easy_names(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(wav())
    file = mutagen.File(path)
    file.add_tags()
    file.tags.add(mutagen.id3.TCON(text="(17)"))  # type: ignore[attr-defined]
    file.tags.add(mutagen.id3.TPE1(text="Ann"))  # type: ignore[attr-defined]
    file.save()
    assert read_tags(path) == Tags("Rock", "Ann", None)


@pytest.mark.parametrize("content", [b"", b"text", b"ID3\x04\x00\x00\xff\xff\xff\xff", mp3()[:99]])
def test_read_tags_of_broken_files_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "song.mp3").write_bytes(content)
    assert read_tags(tmp_path / "song.mp3") == Tags()


def test_list_songs_by_tags_reads_changed_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i, genre in enumerate(["Rock", "Rock", "Folk", ""]):
        tags = {"genre": genre} if genre else {}
        tagged(tmp_path / f"{i}.mp3", mp3(), artist="Ann", **tags)
    first = list_songs(str(tmp_path), "tags", None)
    assert first["genre"].tolist()[:3] == ["Rock", "Rock", "Folk"]
    assert first["problem"].tolist()[3] == "no genre in its tags"
    assert first["title"].tolist() == ["0", "1", "2", "3"]
    tagged(tmp_path / "1.mp3", mp3(), genre="Folk")
    read: list[str] = []

    def counted(path: Path) -> Tags:
        read.append(path.name)
        return read_tags(path)

    monkeypatch.setattr("songnet.data.songs.read_tags", counted)
    again = list_songs(str(tmp_path), "tags", None, before=first)
    assert read == ["1.mp3"]
    assert again["genre"].tolist()[:3] == ["Rock", "Folk", "Folk"]


def test_write_songs_reads_tags_after_other_labels(tmp_path: Path) -> None:
    for folder, genre in (("One", "Jazz"), ("Two", "Rock")):
        (tmp_path / "music" / folder).mkdir(parents=True)
        tagged(tmp_path / "music" / folder / "a.mp3", mp3(), genre=genre)
    table = tmp_path / "songs.parquet"
    for labels, genres in ((None, ["One", "Two"]), ("tags", ["Jazz", "Rock"])):
        for _ in range(2):
            write_songs(str(tmp_path / "music"), labels, None, table)
            assert pd.read_parquet(table)["genre"].tolist() == genres


def test_manifest_keeps_names_of_files(tmp_path: Path) -> None:
    names = ["a  b.mp3", "c\u00a0d.mp3", " e.mp3"]
    for suffix in (".csv", ".parquet"):
        path = tmp_path / f"metadata{suffix}"
        table = pd.DataFrame({"file_name": names, "genre": "Old  Time"})
        table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
        rows = read_manifest(path)
        assert [row["file_name"] for row in rows] == names
        assert {row["genre"] for row in rows} == {"Old Time"}
    table["genre"] = [["Rock"], ["Rock", "Pop"], []]
    table.to_parquet(path)
    with pytest.raises(SongNetError, match="row 1: genre must be one value"):
        read_manifest(path)


def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    for name in ("a.mp3", "c.mp3"):
        (tmp_path / name).touch()
    (tmp_path / "b.mp3").hardlink_to(tmp_path / "a.mp3")
    outside = tmp_path.parent / f"{tmp_path.name}-outside.mp3"
    outside.touch()
    (tmp_path / "0.mp3").symlink_to(outside)
    names = [path.name for path in audio_files([tmp_path])]
    assert names == ["0.mp3", "a.mp3", "b.mp3", "c.mp3"]
    assert [path.name for path in audio_files([tmp_path / "c.mp3", tmp_path])].count("c.mp3") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("flat", "none of its 2 files can be used (1.mp3: not in a genre folder); put songs"),
        ("empty", "contains no files"),
        ("one genre", "all songs are of one genre, 'Rock', and a classifier needs two; if its"),
    ],
)
def test_list_songs_refuses_unusable_folder(tmp_path: Path, change: str, message: str) -> None:
    names = {"flat": ["1.mp3", "2.mp3"], "empty": [], "one genre": ["Rock/A/1.mp3"]}
    for name in names.get(change, ["Rock/1.mp3", "Folk/2.mp3"]):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(SongNetError) as error:
        list_songs(str(tmp_path), None, None)
    assert str(error.value).startswith(f"config key audio: {tmp_path}: {message}")
    assert "\n" not in str(error.value)


def test_write_songs_keeps_unchanged_list(library: Path) -> None:
    path = library.parent / "songs.parquet"
    write_songs(str(library), None, None, path)
    os.utime(path, (1, 1))
    write_songs(str(library), None, None, path)
    assert path.stat().st_mtime == 1
    os.utime(library / "Rock/Ann/1.mp3", (2, 2))
    write_songs(str(library), None, None, path)
    assert path.stat().st_mtime > 1


def test_folder_is_a_clip_source(tmp_path: Path) -> None:
    for i, name in enumerate(["Rock/A/1", "Rock/A/2.x", "Rock/A/3", "Folk/B/4", "Folk/B/5.mp3"]):
        (tmp_path / "m" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "m" / name).write_bytes(wav(6 + i) if i < 4 else b"broken")
    songs = str(tmp_path / "songs.parquet")
    write_songs(str(tmp_path / "m"), None, None, songs)
    source = Folder([songs])
    assert source.track_ids() == {1, 2, 3, 4, 5}
    table = read_songs(songs)
    assert table["artist_id"].tolist() == ["B", "B", "A", "A", "A"]
    assert table["official_split"].isna().all() and (table["subset"] <= "small").all()
    with pytest.raises(SongNetError, match="'Folk' has 2 usable tracks"):
        choose_tracks("folder", songs, [songs], "small", ["Folk", "Rock"], None)
    with pytest.raises(SongNetError, match="'Rock' is the only genre with 3 usable tracks"):
        choose_tracks("folder", songs, [songs], "small", None, None)
    npy, found = str(tmp_path / "000.npy"), str(tmp_path / "000.csv")
    write_shard(npy, found, source, [1, 2, 5], MelSpectrogram(), 5, 30)
    clips = pd.read_csv(found, index_col="track_id")
    assert clips["problem"].fillna("").tolist() == ["", "not decodable: no audio in it", ""]
    assert clips["seconds"].tolist()[::2] == [9.0, 8.0]
    (tmp_path / "m/Folk/B/4").unlink()
    with source.samples(22_050, 1) as read, pytest.raises(SongNetError) as error:
        read(1)
    assert "Folk/B/4 is no longer usable (no such file)" in str(error.value)


def test_folder_reads_middle_of_song(tmp_path: Path) -> None:
    for genre in ("Rock", "Folk"):
        (tmp_path / genre).mkdir()
        (tmp_path / genre / "1.wav").write_bytes(wav(20))
    write_songs(str(tmp_path), None, None, tmp_path / "songs.parquet")
    source = Folder([str(tmp_path / "songs.parquet")])
    whole = average_channels(music(20))
    with source.samples(RATE, 8) as read:
        np.testing.assert_allclose(read(1), whole[6 * RATE : 14 * RATE], atol=1e-4)
    with source.samples(RATE, 8, stop=3) as read:  # pages play and draw the same part
        np.testing.assert_allclose(read(1), whole[6 * RATE : 9 * RATE], atol=1e-4)
    with source.samples(RATE, 30, stop=3) as read:
        np.testing.assert_allclose(read(1), whole[: 3 * RATE], atol=1e-4)
    with source.spectrograms([1], MelSpectrogram(), 5, 8) as spectrograms:
        mel, facts = spectrograms.read(1)
    assert facts["seconds"] == 8
    with source.samples(22_050, 8) as read:
        np.testing.assert_allclose(mel, MelSpectrogram().offline(read(1)), atol=1e-3)
