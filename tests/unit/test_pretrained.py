"""musicnn from PyPI: the checkpoint is read, other wheels and unknown tags are rejected."""

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from songnet.cli import main
from songnet.errors import SongNetError
from songnet.io import sha256
from songnet.models import pretrained
from songnet.models.pretrained import WEIGHTS, fetch_musicnn
from songnet.models.tf_checkpoint import MAGIC, read_checkpoint
from songnet.realtime.installed import data_path, installed
from songnet.realtime.stream import load_model
from tests.unit.test_encoders import checkpoint


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Build a block whose keys share all possible prefixes, with one restart, and its trailer."""
    out, last = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        last = key
    return out + bytes(4) + (1).to_bytes(4, "little") + bytes(5)


def write_checkpoint(folder: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write a TensorFlow checkpoint with several blocks."""
    data, entries = b"", [(b"", field(1, 1))]  # the header
    for name in sorted(tensors):
        values = tensors[name].astype("<f4")
        shape = b"".join(field(2, field(1, size)) for size in values.shape)
        entry = field(1, 1) + field(2, shape) + field(4, len(data)) + field(5, values.nbytes)
        entries.append((name.encode(), entry + varint(6 << 3 | 5) + bytes(4)))
        data += values.tobytes()
    table, index = b"", []
    for start in range(0, len(entries), 7):
        content = block(entries[start : start + 7])
        handle = varint(len(table)) + varint(len(content) - 5)
        index.append((entries[start : start + 7][-1][0], handle))
        table += content
    handles = []
    for content in (block([]), block(index)):
        handles.append(varint(len(table)) + varint(len(content) - 5))
        table += content
    footer = b"".join(handles)
    table += footer + bytes(40 - len(footer)) + MAGIC.to_bytes(8, "little")
    Path(f"{folder}/.index").write_bytes(table)
    Path(f"{folder}/.data-00000-of-00001").write_bytes(data)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Fake pip with a wheel like musicnn's, and an empty user data directory."""
    folder = tmp_path / WEIGHTS
    folder.mkdir(parents=True)
    write_checkpoint(folder, checkpoint())
    path = tmp_path / "musicnn-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in (".index", ".data-00000-of-00001"):
            archive.write(folder / name, WEIGHTS + name)

    def run(command: list[str], **_: Any) -> Any:
        Path(command[command.index("--dest") + 1], path.name).write_bytes(path.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("songnet.models.pretrained.subprocess.run", run)
    monkeypatch.setattr(pretrained, "WHEEL_SHA256", sha256(path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return path


def test_read_checkpoint_returns_every_tensor(tmp_path: Path) -> None:
    given = {"b": np.arange(6.0).reshape(2, 3), "a/x": np.ones(()), "a/y": np.zeros((300, 1, 2))}
    (tmp_path / "c").mkdir()
    write_checkpoint(tmp_path / "c", given)
    found = read_checkpoint(f"{tmp_path}/c/")
    assert found.keys() == given.keys()
    for name, values in given.items():
        np.testing.assert_array_equal(found[name], values)


def test_read_checkpoint_refuses_other_files(tmp_path: Path) -> None:
    for suffix in (".index", ".data-00000-of-00001"):
        (tmp_path / suffix).write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="not the index"):
        read_checkpoint(f"{tmp_path}/")


def test_get_musicnn_installs_model(
    wheel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SongNetError, match="run `songnet get musicnn`"):
        installed("musicnn")
    assert main(["get", "musicnn"]) == 0
    assert "songnet classify song.mp3 --model musicnn" in capsys.readouterr().out
    model = load_model(installed("musicnn"))
    assert str(model.path) == str(data_path("musicnn")) and "Hip-Hop" in model.genres
    mapping = tmp_path / "genres.yaml"
    mapping.write_text("Loud: [metal, punk]\nQuiet: [ambient]\n")
    assert main(["get", "musicnn", "--genres", str(mapping)]) == 0
    assert load_model(installed("musicnn")).genres == ["Loud", "Quiet"]
    mapping.write_text("1980: [80s]\nQuiet: [ambient]\n")
    assert main(["get", "musicnn", "--genres", str(mapping)]) == 1
    assert f"{mapping}: genre 1980: " in capsys.readouterr().err
    assert load_model(installed("musicnn")).genres == ["Loud", "Quiet"]
    # A local file with that name takes precedence over the fetched one.
    assert installed("other.safetensors") == "other.safetensors"


@pytest.mark.parametrize(
    ("genres", "message"),
    [
        ({"Loud": ["noise"], "Quiet": ["ambient"]}, "'Loud': musicnn has no tag 'noise' "),
        ({"Loud": "metal", "Quiet": ["ambient"]}, "'Loud': expected a list of tags, got 'metal'"),
        ({"Loud": ["metal"]}, "genres: at least two"),
        ({1980: ["80s"], "Loud": ["metal"]}, "genre 1980: YAML does not read this as a name"),
        ({" ": ["80s"], "Loud": ["metal"]}, "genre ' ': YAML"),
    ],
)
def test_fetch_musicnn_reports_wrong_genres(
    wheel: Path, genres: dict[str, Any], message: str
) -> None:
    with pytest.raises(SongNetError, match=message):
        fetch_musicnn("m.safetensors", genres)


def test_fetch_musicnn_refuses_other_wheel(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "WHEEL_SHA256", "0" * 64)
    with pytest.raises(SongNetError, match=r"^musicnn==0\.1\.0: SHA-256 of the wheel is .*"):
        fetch_musicnn("m.safetensors")


def test_fetch_musicnn_without_connection_is_one_line(
    wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: no such host\n")
    monkeypatch.setattr("songnet.models.pretrained.subprocess.run", lambda *_, **__: failed)
    with pytest.raises(SongNetError, match=r"^pip download musicnn==0\.1\.0: ERROR: no such host$"):
        fetch_musicnn("m.safetensors")
