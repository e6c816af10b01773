"""Malicious archives cannot write to the disk or use excessive memory."""

import bz2
import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from studies.published_features import measured

from songnet.data import archives as songnet_archives
from songnet.data import tracks as songnet_tracks
from songnet.data.archives import open_member, open_zip, read_member
from songnet.data.fma_zip import FmaZip
from songnet.data.names import is_printable
from songnet.data.selection import UNPRINTABLE, select_tracks, wanted_tracks
from songnet.data.tracks import read_tracks
from songnet.errors import SongNetError, UnusableClipError
from songnet.features.audio import decode
from tests.archives import write_archive

HEADER = "track_id,set,set,track,artist,track\n,split,subset,genre_top,id,title\n,,,,,\n"
CLIP = "fma_small/000/000002.mp3"


def metadata_of(path: Path, rows: str | bytes) -> str:
    content = HEADER.encode() + (rows.encode() if isinstance(rows, str) else rows)
    return str(write_archive(path, {"fma_metadata/tracks.csv": content}))


def patched(path: Path, place: int, value: bytes, header: bytes = b"PK\1\2") -> Path:
    """Write ``value`` at an offset from the last header of a kind."""
    content = bytearray(path.read_bytes())
    at = content.rindex(header) + place
    content[at : at + len(value)] = value
    path.write_bytes(content)
    return path


def test_fma_zip_takes_fma_names_only(tmp_path: Path) -> None:
    names = ["../../000007.mp3", "/etc/000008.mp3", "fma_small/../../000009.mp3", "a/²/².mp3",
             "fma_small/000/2.mp3", "fma_small/000/000002.mp3/000010.mp3", CLIP]  # fmt: skip
    path = write_archive(tmp_path / "fma_small.zip", dict.fromkeys(names, b"x"))
    assert FmaZip([str(path)]).track_ids() == {2}
    path.rename(tmp_path / "fma_large.zip")
    with pytest.raises(SongNetError, match=r"no clip with a name like fma_large/000/000002\.mp3"):
        FmaZip([str(tmp_path / "fma_large.zip")]).track_ids()


def damaged(path: Path, case: str) -> Path:
    """Write an archive whose only clip cannot be read, for a reason."""
    write_archive(path, {CLIP: bytes(2000)})
    if case == "too large":
        return patched(path, 24, struct.pack("<I", 3_000_000_000))
    if case == "its CRC-32 is wrong":
        return patched(path, 16, b"\0\1\2\3")
    if case == "encrypted":
        return patched(patched(path, 8, b"\1"), 6, b"\1", b"PK\3\4")
    if case == "unsupported":
        return patched(path, 10, b"\x63\0")
    return patched(path, 30 + len(CLIP) + 10, b"\xff" * 20, b"PK\3\4")


@pytest.mark.parametrize(
    "case", ["too large", "its CRC-32 is wrong", "encrypted", "unsupported", "cannot be unpacked"]
)
def test_fma_zip_damaged_member_costs_one_clip(tmp_path: Path, case: str) -> None:
    source = FmaZip([str(damaged(tmp_path / "fma_small.zip", case))])
    with source.opened() as read:
        with pytest.raises(UnusableClipError, match=case) as error:
            read(2)
        assert "\n" not in str(error.value)
    for again in (source.files(), source.samples(22_050, 1)):
        with again as read, pytest.raises(SongNetError, match="mp3 is no longer usable"):
            read(2)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_read_member_refuses_duplicate_names(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.zip", {CLIP: b"first", "table": b"x"})
    with zipfile.ZipFile(path, "a") as archive:
        for name in (CLIP, "table"):
            archive.writestr(name, b"second")
    with open_zip(path) as archive:
        with pytest.raises(UnusableClipError, match="the archive contains two files with its name"):
            read_member(archive, CLIP)
        with pytest.raises(SongNetError, match=r"a\.zip: contains table twice"):  # noqa: SIM117
            with open_member(archive, "table"):
                pass


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone", "x"), RuntimeError("no thread")])
def test_open_zip_passes_other_errors_on(tmp_path: Path, error: Exception) -> None:
    path = write_archive(tmp_path / "a.zip", {"table": b"x"})
    with pytest.raises(type(error), match=str(error.args[-1])):  # noqa: SIM117
        with open_zip(path) as archive, open_member(archive, "table") as file:
            assert file.read() == b"x"
            raise error


def test_open_zip_refuses_folder(tmp_path: Path) -> None:
    with pytest.raises(SongNetError, match=f"^{tmp_path}: Is a directory"), open_zip(tmp_path):
        pass


def test_read_member_refuses_zip_bomb(tmp_path: Path) -> None:
    """200 MB of zeros in 200 bytes, whose header declares 1000 bytes."""
    path = tmp_path / "a.zip"
    write_archive(path, {CLIP: bz2.compress(bytes(2 * 10**8))}, zipfile.ZIP_STORED)
    for header, method, size in [(b"PK\1\2", 10, 24), (b"PK\3\4", 8, 22)]:
        patched(path, method, struct.pack("<H", zipfile.ZIP_BZIP2), header)
        patched(path, size, struct.pack("<I", 1000), header)
    tracemalloc.start()
    with open_zip(path) as archive, pytest.raises(UnusableClipError, match="CRC-32 is wrong"):
        read_member(archive, CLIP)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def unpack_some(path: str, threads: int) -> None:
    with open_zip(path) as archive, open_member(archive, "table", threads) as file:
        assert file.read(1000) == bytes(1000)


def test_open_member_unpacks_little_beyond_what_is_read(tmp_path: Path) -> None:
    """400 MB of zeros in 400 bytes; a thread unpacks a block of 46 MB at a time."""
    path = write_archive(tmp_path / "a.zip", {"table": bytes(400 * 10**6)})
    one, two = (measured(unpack_some, str(path), threads)[2] for threads in (1, 2))
    assert two < one + 300


def test_decode_limits_claimed_length(tmp_path: Path) -> None:
    """Hours of silence are a few kilobytes of FLAC, and a WAV header can claim anything."""
    file = io.BytesIO()
    with sf.SoundFile(file, "w", 44_100, 2, format="FLAC", subtype="PCM_16") as sound:
        sound.write(0.1 * np.random.default_rng(0).standard_normal((44_100, 2)))
        for _ in range(10):
            sound.write(np.zeros((60 * 44_100, 2), np.int16))
    tracemalloc.start()
    clip = decode(file_at_start(file), max_seconds=31)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert clip.seconds == 31
    claims = io.BytesIO()
    sf.write(claims, np.ones(10, np.float32), 1_000_000, format="WAV")
    with pytest.raises(UnusableClipError, match="not music: 1 channels at 1000000 Hz"):
        decode(file_at_start(claims))


def file_at_start(file: io.BytesIO) -> io.BytesIO:
    file.seek(0)
    return file


@pytest.mark.parametrize("genre", ["a\nb", "a\u202eb", "x" * 101, " Rock\t"])
def test_select_tracks_leaves_unprintable_genres_out(tmp_path: Path, genre: str) -> None:
    rows = f'2,training,small,"{genre}",1,x\n3,training,small,Old-Time / Historic,1,=1+1\n'
    tracks = read_tracks(metadata_of(tmp_path / "m.zip", rows))
    assert tracks["title"].tolist() == ["x", "=1+1"]
    inside = wanted_tracks(tracks, "small", None, None)
    selected, problems = select_tracks(inside, tracks.index, {2, 3})
    assert problems == {2: UNPRINTABLE}
    assert selected["genre"].tolist() == ["Old-Time / Historic"]


@pytest.mark.parametrize(
    "genre",
    ["Hip-Hop", "R&B", "Rock_n_Roll #1", "=Classical", "Musique concrète", "クラシック", "<b>|$x$"],
)
def test_is_printable_takes_any_name_on_one_line(genre: str) -> None:
    assert is_printable(genre)


def test_read_tracks_limits_rows_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{i},training,small,Rock,1,x\n" for i in range(2, 5002))
    path = metadata_of(tmp_path / "m.zip", rows)
    monkeypatch.setattr(songnet_tracks, "MOST_TRACKS", 4000)
    with pytest.raises(SongNetError, match="it has more than 4,000 rows"):
        read_tracks(path)
    monkeypatch.setattr(songnet_archives, "TABLE_BYTES", 10 << 10)
    with pytest.raises(SongNetError, match=r"tracks\.csv is too large"):
        read_tracks(path)


@pytest.mark.parametrize(
    "rows",
    [
        b"2,training,small,Rock\xff,1,x\n",
        b'2,training,small,"Rock\n',
        b"2,training,small\n",
        b"2,training,small,Rock,1,\0\n3\n",
    ],
)
def test_read_tracks_refuses_malformed_rows(tmp_path: Path, rows: bytes) -> None:
    path = metadata_of(tmp_path / "m.zip", rows)
    with pytest.raises(SongNetError, match="is not a table of tracks") as error:
        read_tracks(path)
    assert "\n" not in str(error.value)
