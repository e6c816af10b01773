"""Clips from remote archives on a real server that counts bytes and misbehaves."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copyfile

import pytest

from songnet.data.fma_zip import FmaZip, member_name
from songnet.data.sample import ATTEMPTS, BODIES, METADATA, fetch_sample
from songnet.data.selection import wanted_tracks
from songnet.data.tracks import read_tracks
from songnet.errors import SongNetError
from tests.archives import members, write_archive
from tests.servers import Contents, FaultyServer, serving

Serve = Callable[..., FaultyServer]


def folder_contents(folder: Path) -> Contents:
    """Return the files in a folder."""
    return lambda path: (folder / path).read_bytes() if (folder / path).exists() else None


@pytest.fixture
def serve(archives: Path) -> Iterator[Serve]:
    """Start servers of a folder; every n-th response of each fails in a given way."""
    with serving() as start:
        yield lambda fault="", every=3, folder=archives: start(
            folder_contents(folder), fault, lambda n: n % every == 0
        )


def fetch(server: FaultyServer, folder: Path, pause: float = 0.01) -> None:
    fetch_sample(
        [server.url], "small", None, 4, folder / "fma_metadata.zip", folder / "fma_small.zip", pause
    )


def check(archives: Path, folder: Path) -> None:
    """The sample contains exactly the selected clips, and no temporary files remain."""
    wanted = wanted_tracks(read_tracks(str(archives / "fma_metadata.zip")), "small", None, 4)
    assert set(wanted["genre"].value_counts()) == {4}
    assert FmaZip([str(folder / "fma_small.zip")]).track_ids() == set(wanted.index)
    whole, sample = (members(path / "fma_small.zip") for path in (archives, folder))
    for name in (member_name("small", track_id) for track_id in wanted.index):
        assert sample[name] == whole[name]
    assert {path.name for path in folder.iterdir()} == {"fma_metadata.zip", "fma_small.zip"}


def test_fetch_sample_transfers_wanted_clips_only(
    archives: Path, tmp_path: Path, serve: Serve
) -> None:
    server = serve()
    fetch(server, tmp_path)
    check(archives, tmp_path)
    wanted = wanted_tracks(read_tracks(str(archives / "fma_metadata.zip")), "small", None, 4)
    size = 0
    with zipfile.ZipFile(archives / "fma_small.zip") as clips:
        size += sum(clips.getinfo(member_name("small", i)).compress_size for i in wanted.index)
    with zipfile.ZipFile(archives / "fma_metadata.zip") as metadata:
        size += sum(metadata.getinfo(name).compress_size for name in METADATA)
    assert size < server.sent <= 1.2 * size + 2 * 2**20
    # The bound is meaningful, since the archive is larger.
    assert (archives / "fma_small.zip").stat().st_size > 2 * size


@pytest.mark.parametrize("fault", ["503", "429", "cut", "wrong byte"])
def test_fetch_sample_recovers_from_faults(
    archives: Path, tmp_path: Path, serve: Serve, fault: str
) -> None:
    fetch(serve(fault), tmp_path)
    check(archives, tmp_path)


def test_fetch_sample_resumes_after_break(archives: Path, tmp_path: Path, serve: Serve) -> None:
    broken = serve("cut", every=1)
    with pytest.raises(SongNetError, match="127"):
        fetch(broken, tmp_path, pause=0.001)
    assert not (tmp_path / "fma_small.zip").exists()
    # Stopped in the middle of the clips.
    server = serve()
    fetch(server, tmp_path)
    full = server.sent
    (tmp_path / "fma_small.zip.parts").mkdir()
    for name, clip in list(members(tmp_path / "fma_small.zip").items())[:6]:
        (tmp_path / "fma_small.zip.parts" / Path(name).name).write_bytes(clip)
    (tmp_path / "fma_small.zip").unlink()
    again = serve()
    fetch(again, tmp_path)
    assert again.sent < 0.8 * full
    check(archives, tmp_path)


@pytest.mark.parametrize(
    ("fault", "reason"), [("ignores range", "leave tracks_per_genre out"), ("404", "answers 404")]
)
def test_fetch_sample_reports_permanent_faults(
    tmp_path: Path, serve: Serve, fault: str, reason: str
) -> None:
    with pytest.raises(SongNetError, match=reason):
        fetch(serve(fault, every=1), tmp_path)


@pytest.mark.parametrize(("fault", "requests"), [("503", ATTEMPTS), ("cut", BODIES)])
def test_fetch_sample_leaves_dead_mirror(
    archives: Path, tmp_path: Path, serve: Serve, fault: str, requests: int
) -> None:
    dead = serve(fault, every=1)
    metadata, clips = tmp_path / "fma_metadata.zip", tmp_path / "fma_small.zip"
    fetch_sample([dead.url, serve().url], "small", None, 4, metadata, clips, pause=0.001)
    assert dead.answers == requests
    check(archives, tmp_path)


def test_fetch_sample_leaves_archive_without_clips(
    archives: Path, tmp_path: Path, serve: Serve
) -> None:
    other, mine = tmp_path / "other", tmp_path / "mine"
    other.mkdir()
    mine.mkdir()
    copyfile(archives / "fma_metadata.zip", other / "fma_metadata.zip")
    write_archive(other / "fma_small.zip", {"fma_small/README.txt": "none"})
    empty = serve(folder=other)
    with pytest.raises(SongNetError, match=r"fma_small\.zip: contains none of the selected clips$"):
        fetch(empty, mine)
    metadata, clips = mine / "fma_metadata.zip", mine / "fma_small.zip"
    fetch_sample([empty.url, serve().url], "small", None, 4, metadata, clips)
    check(archives, mine)


def test_fetch_sample_leaves_invalid_address_at_once(
    archives: Path, tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("songnet.data.sample.time.sleep", waited.append)
    metadata, clips = tmp_path / "fma_metadata.zip", tmp_path / "fma_small.zip"
    urls = [archives.as_uri(), "http://"]
    fetch_sample([*urls, serve().url], "small", None, 4, metadata, clips)
    check(archives, tmp_path)
    with pytest.raises(
        SongNetError, match="fetched over http or https; leave tracks_per_genre out"
    ):
        fetch_sample(urls, "small", None, 4, metadata, clips)
    assert not waited
