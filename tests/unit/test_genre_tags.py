"""Genres in the tags of files: nothing else changes, and all changes can be undone."""

import hashlib
import os
import shutil
from pathlib import Path

import av
import mutagen
import pytest
from mutagen.id3 import ID3, TCON, TIT2, TYER

from songnet.errors import NoSpaceError, SongNetError
from songnet.library import genre_tags
from songnet.library.columns import Row
from songnet.library.genre_tags import has_tags, read_genres, write_genres
from songnet.library.table_files import read_rows, write_rows
from songnet.library.undo import change, restore, undo_file
from songnet.library.write_tags import apply, undo, wanted_changes
from tests.variants import ffmpeg, wav

pytestmark = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
KINDS = [".mp3", ".m4a", ".ogg", ".opus", ".flac", ".wav", ".aiff", ".wv", ".wma"]


def audio(path: Path) -> str:
    """Compute a digest of the encoded audio, independently of SongNet."""
    found = hashlib.md5()
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.audio[0]):
            found.update(bytes(packet))
    return found.hexdigest()


@pytest.fixture(params=KINDS)
def song(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A song of each format, with a title."""
    path = tmp_path / f"song{request.param}"
    path.write_bytes(ffmpeg(wav(), request.param, "-metadata", "title=A title"))
    return path


def test_change_and_restore_by_format(song: Path, tmp_path: Path) -> None:
    content, sound = song.read_bytes(), audio(song)
    log = tmp_path / "undo.jsonl"
    assert read_genres(str(song)) == []
    # WAV and AIFF files store titles elsewhere.
    assert has_tags(str(song)) == (song.suffix not in (".wav", ".aiff"))
    change(str(song), ["Öld-Time / Historic"], log)
    assert read_genres(str(song)) == ["Öld-Time / Historic"]
    assert audio(song) == sound and song.read_bytes() != content
    assert "A title" in str(mutagen.File(song).tags) or song.suffix in (".wav", ".aiff")
    assert list(restore(log)) == [(str(song), "")] and not log.exists()
    assert read_genres(str(song)) == [] and audio(song) == sound
    if song.suffix in (".mp3", ".flac", ".wav", ".aiff"):
        assert song.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [song.name]


def test_restore_removes_tags_that_change_added(tmp_path: Path) -> None:
    path = tmp_path / "bare.mp3"
    path.write_bytes(ffmpeg(wav(), ".mp3", "-id3v2_version", "0"))
    content = path.read_bytes()
    change(str(path), ["Rock"], tmp_path / "undo.jsonl")
    assert has_tags(str(path)) and ID3(path).version[:2] == (2, 3)
    list(restore(tmp_path / "undo.jsonl"))
    assert path.read_bytes() == content


@pytest.mark.parametrize("version", [3, 4])
def test_change_keeps_id3_version_and_other_frames(version: int, tmp_path: Path) -> None:
    """An old genre, a year, an unknown frame, and an ID3v1 tag with different values."""
    path = tmp_path / "song.mp3"
    path.write_bytes(ffmpeg(wav(), ".mp3", "-id3v2_version", "0"))
    tags = ID3()
    tags.add(TIT2(encoding=1, text=["Tïtle"]))
    tags.add(TCON(encoding=1, text=["Blues", "Folk"] if version == 4 else ["(17)"]))
    if version == 3:
        tags.add(TYER(encoding=0, text=["1999"]))
    tags.save(path, v2_version=version, v23_sep=None)
    v1 = b"TAG" + b"An old title".ljust(124, b"\0") + b"\x11"
    path.write_bytes(path.read_bytes() + v1)
    content, old = path.read_bytes(), read_genres(str(path))
    assert old == (["Blues", "Folk"] if version == 4 else ["(17)"])
    change(str(path), ["Rock"], tmp_path / "undo.jsonl")
    found = ID3(path, translate=False)
    assert found.version[1] == version and found["TIT2"].text == ["Tïtle"]
    assert found["TCON"].text == ["Rock"] and path.read_bytes().endswith(v1)
    assert version == 4 or found["TYER"].text == ["1999"]
    list(restore(tmp_path / "undo.jsonl"))
    assert read_genres(str(path)) == old and path.stat().st_size == len(content)
    assert path.read_bytes()[-200:] == content[-200:]


def test_write_genres_keeps_link_and_permissions(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    path, link = tmp_path / "a/song.mp3", tmp_path / "link.mp3"
    path.write_bytes(ffmpeg(wav(), ".mp3"))
    path.chmod(0o640)
    link.symlink_to(path)
    write_genres(str(link), ["Rock"])
    assert link.is_symlink() and read_genres(str(path)) == ["Rock"]
    assert path.stat().st_mode & 0o777 == 0o640


def test_write_genres_leaves_unwritable_file_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(ffmpeg(wav(), ".mp3"))
    content = path.read_bytes()
    path.chmod(0o444)  # for the superuser, too
    with pytest.raises(SongNetError, match=r"song\.mp3: is read-only$"):
        write_genres(str(path), ["Rock"])
    path.chmod(0o644)
    with monkeypatch.context() as patch:  # a library that damages the audio
        patch.setattr(genre_tags, "_write", lambda copy, *_: Path(copy).write_bytes(content[:-900]))
        with pytest.raises(SongNetError, match="its audio would change; the file is not modified"):
            write_genres(str(path), ["Rock"])

    def full(source: Path, copy: Path) -> None:
        copy.write_bytes(content[:1000])
        raise OSError(28, "No space left on device", str(copy))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", full)
        with pytest.raises(NoSpaceError, match="no space left; free some and run again"):
            write_genres(str(path), ["Rock"])
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]
    (tmp_path / "text.mp3").write_text("no music")
    with pytest.raises(SongNetError, match=r"text\.mp3: "):
        write_genres(str(tmp_path / "text.mp3"), ["Rock"])
    with pytest.raises(SongNetError, match=r"none\.mp3: No such file or directory"):
        write_genres(str(tmp_path / "none.mp3"), ["Rock"])


def row(path: Path, genre: str | None, probability: float, **changed: object) -> Row:
    """Build the row of a table as SongNet writes it."""
    facts = path.stat()
    return {
        "path": str(path), "size": facts.st_size, "mtime": facts.st_mtime, "duration": 6.0,
        "model": "causal_crnn-00000000-30s", "genre": genre, "probability": probability,
        "unsure": False, "tag_genre": None, "artist": None, "title": None, "error": None,
    } | changed  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A library of five songs: confident, already tagged, less confident, unsure, and changed."""
    plain = ffmpeg(wav(), ".mp3")
    names = ["1 sure.mp3", "2 tagged.mp3", "3 weak.mp3", "4 unsure.mp3", "5 changed.mp3"]
    for name in names:
        (tmp_path / name).write_bytes(plain)
    write_genres(str(tmp_path / "2 tagged.mp3"), ["Jazz"])
    found = [row(tmp_path / name, "Rock", 0.9) for name in names]
    found[1]["tag_genre"] = "Jazz"
    found[2]["probability"] = 0.55
    found[3]["unsure"] = True
    found[4]["size"] = 1
    path = tmp_path / "library.jsonl"
    write_rows(found, list(found[0]), path)
    return path


def test_wanted_changes_are_confident_and_missing_genres(table: Path) -> None:
    changes = list(wanted_changes(table, 0.8, overwrite=False))
    assert [Path(c.path).name for c in changes] == ["1 sure.mp3", "5 changed.mp3"]
    assert changes[0].new == ["Rock"] and changes[0].old == [] and not changes[0].problem
    assert changes[1].problem.startswith("has changed since")
    more = [Path(c.path).name[0] for c in wanted_changes(table, 0.5, overwrite=True)]
    assert more == ["1", "2", "3", "5"]
    assert read_genres(changes[0].path) == []  # so far, changes are only listed


def test_apply_updates_table_and_undo_restores_files(table: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.glob("*.mp3")}
    done = list(apply(table, wanted_changes(table, 0.5, overwrite=True)))
    assert [bool(change.problem) for change in done] == [False, False, False, True]
    for found in list(read_rows(table))[:3]:
        facts = Path(found["path"]).stat()
        assert (found["size"], found["mtime"]) == (facts.st_size, facts.st_mtime)
        assert found["tag_genre"] == "Rock" == read_genres(found["path"])[0]
    assert not list(wanted_changes(table, 0.5, overwrite=True))[:-1]  # nothing remains to be done
    write_genres(str(tmp_path / "3 weak.mp3"), ["Folk"])  # by another program
    # A kill between an entry and its change, or within an entry, loses nothing.
    with undo_file(table).open("ab") as file:
        file.write(b'["half an ent')
    problems = [(Path(path).name, problem) for path, problem in undo(table)]
    assert problems == [
        ("3 weak.mp3", "its genre has changed since, to Folk; the file is not modified"),
        ("2 tagged.mp3", ""), ("1 sure.mp3", ""),
    ]  # fmt: skip
    for path in (tmp_path / "1 sure.mp3", tmp_path / "2 tagged.mp3"):
        assert path.read_bytes() == before[path]
    assert [found["tag_genre"] for found in read_rows(table)][:2] == [None, "Jazz"]
    # The change that could not be undone remains.
    assert len(list(undo_file(table).read_text().splitlines())) == 1
    write_genres(str(tmp_path / "3 weak.mp3"), ["Rock"])
    assert [problem for _, problem in undo(table)] == [""] and not undo_file(table).exists()
    with pytest.raises(SongNetError, match="there are no written tags to undo"):
        list(undo(table))


def test_apply_stops_on_full_disk(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "chown", full)
    with pytest.raises(NoSpaceError):
        list(apply(table, wanted_changes(table, 0.5, overwrite=True)))
    monkeypatch.undo()
    assert [problem for _, problem in undo(table)] == [""]  # there was no tag to restore
