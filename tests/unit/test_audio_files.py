import os
from pathlib import Path

import pytest

from songnet.data.audio_files import all_files, audio_files
from songnet.errors import SongNetError


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with songs of many names, a cover, a playlist and hidden files."""
    folder = tmp_path / "music"
    for name in (
        "Rock/B/1.mp3", "Rock/A/CD 1/song", "Rock/A/2.M4A", "Folk/x.vox", "loose.au",
        "Rock/cover.JPG", "Rock/all.m3u8", ".Trash/old.mp3", "Rock/._1.mp3",
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def names(files: object, folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in files]  # type: ignore[attr-defined]


SONGS = ["Folk/x.vox", "Rock/A/2.M4A", "Rock/A/CD 1/song", "Rock/B/1.mp3", "loose.au"]


def test_audio_files_are_sorted_without_hidden_files_and_covers(music: Path) -> None:
    assert names(audio_files([music]), music) == SONGS
    assert set(names(all_files([music]), music)) - set(SONGS) == {"Rock/all.m3u8", "Rock/cover.JPG"}


def test_audio_files_come_once(music: Path) -> None:
    assert names(audio_files([music / "Rock", music, music / "loose.au"]), music) == [
        "Rock/A/2.M4A", "Rock/A/CD 1/song", "Rock/B/1.mp3", "Folk/x.vox", "loose.au",
    ]  # fmt: skip
    assert names(audio_files([music / "loose.au", music / "Rock/B/../B/1.mp3", music]), music)[
        :2
    ] == ["loose.au", "Rock/B/../B/1.mp3"]


def test_audio_files_follow_links_once(music: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "deep").mkdir(parents=True)
    (other / "deep/3.ogg").write_bytes(b"y")
    (other / "4.ogg").write_bytes(b"y")
    (music / "loop").symlink_to(music)
    (music / "again.mp3").symlink_to(music / "Rock/B/1.mp3")
    (music / "Jazz").symlink_to(other)
    (music / "Jazz 2").symlink_to(other / "deep")
    (music / "a.ogg").symlink_to(other / "4.ogg")
    (music / "z.ogg").symlink_to(other / "4.ogg")
    (music / "z.mp3").symlink_to(music / ".Trash/old.mp3")
    (music / "gone.mp3").symlink_to(tmp_path / "nowhere.mp3")
    found = names(audio_files([music]), music)
    assert sorted(found) == sorted([*SONGS, "Jazz/deep/3.ogg", "Jazz/4.ogg", "z.mp3", "gone.mp3"])
    linked = tmp_path / "linked"
    linked.symlink_to(music)
    assert len(list(audio_files([linked]))) == len(found)


def test_audio_files_of_a_list(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    listed = tmp_path / "lists" / "songs.txt"
    listed.parent.mkdir()
    listed.write_text(f"music/Rock/cover.JPG\r\n\n../music/loose.au\n{music}/Folk\n")
    assert [str(path) for path in audio_files([listed])] == [
        "music/Rock/cover.JPG", f"{listed.parent}/../music/loose.au", f"{music}/Folk/x.vox",
    ]  # fmt: skip
    playlist = music / "Rock/all.m3u8"
    playlist.write_text("#EXTM3U\nB/1.mp3\n")
    assert names(audio_files([playlist]), music) == ["Rock/B/1.mp3"]
    listed.write_text("music/loose.au\nmusic/gone.mp3\n")
    with pytest.raises(SongNetError, match=r"songs\.txt: line 2: music/gone\.mp3: no such file"):
        list(audio_files([listed]))


def test_audio_files_reports_unreadable_paths(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SongNetError, match=r"nowhere: no such file or folder$"):
        list(audio_files([music / "nowhere"]))

    def refuse(folder: str) -> object:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)  # the superuser can read all folders
    with pytest.raises(SongNetError, match=r"music: Permission denied$"):
        list(audio_files([music]))


def test_audio_files_leave_pipes_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    assert list(all_files([tmp_path])) == []
