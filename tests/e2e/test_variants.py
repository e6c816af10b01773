"""Audio files of every kind are decoded completely, and equally from bytes, paths and uploads."""

import io
import shutil
from pathlib import Path

import pytest
import torch

from songnet.features.audio import SHORTFALL_SECONDS, decode
from songnet.realtime.classify import as_row, classify_file
from songnet.realtime.stream import Model, load_model
from tests.e2e.conftest import Server, multipart, post
from tests.variants import ffmpeg_seconds, variants

VARIANTS = dict(variants())
# Reported losses in seconds. Headers that declare too much are believed.
LOST = {
    "a block of zeros inside": 0.5,
    "FLAC, length too large": 14.4,
    "FLAC, half": 3.07,
    "WAV, half": 3.0,
    "WAV of floats, half": 3.0,
    "FLAC in Matroska, half": 3.0,
    "WAV, data size too large": 561,
    "cbr, Xing count 9000": 229.0,
    "vbr, Xing count 9000": 229.0,
}
needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")


@pytest.fixture(scope="module")
def model(trained: Path) -> Model:
    # As in the server, since the number of threads changes the order of additions.
    torch.set_num_threads(1)
    return load_model(trained)


def check_alike(content: bytes, path: Path, model: Model, server: Server) -> None:
    """Pass the same file as a path with any name, as an upload and in a form."""
    path.write_bytes(content)
    row = as_row(classify_file(model, str(path), excerpt=None))
    del row["file"]
    assert post(server, content) == (200, row)
    assert post(server, *multipart(content, "x.raw")) == (200, row)
    clip = decode(io.BytesIO(content))
    assert row["seconds"] == round(clip.seconds, 3)
    assert row["lost_seconds"] == pytest.approx(clip.lost_seconds, abs=1e-3)


@needs_ffmpeg
@pytest.mark.parametrize("name", VARIANTS)
def test_decode_variant_is_as_long_as_ffmpeg_says(
    name: str, model: Model, server: Server, tmp_path: Path
) -> None:
    content = VARIANTS[name]()
    clip = decode(io.BytesIO(content))
    assert clip.seconds == pytest.approx(ffmpeg_seconds(content, clip.sample_rate), abs=0.1)
    if name in LOST:
        assert clip.lost_seconds == pytest.approx(LOST[name], rel=0.25)
    elif "flipped" not in name:
        assert clip.lost_seconds < SHORTFALL_SECONDS
    check_alike(content, tmp_path / "music.vox", model, server)
