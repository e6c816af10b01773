"""An excerpt equals the same samples of a complete decoding."""

import io
import shutil

import numpy as np
import pytest
import soundfile as sf

from songnet.errors import UnusableClipError
from songnet.features import audio, excerpt
from songnet.features.audio import Samples, decode
from songnet.features.excerpt import middle
from tests.variants import ffmpeg, mp3, variants, wav

pytestmark = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
VARIANTS = dict(variants())
ONE_MILLISECOND = ("WMA", "Opus in WebM")  # in which these formats count time
# Audio lost before the excerpt, or trimmed by a wrong header, shifts a complete decoding.
SHIFTED = {
    "a header zeroed", "header byte flipped, 1", "header byte flipped, 3",
    "header byte flipped, 4", "cbr, Xing count 50", "vbr, Xing count 50",
}  # fmt: skip


def difference(part: Samples, whole: Samples, start: int, most: int) -> float:
    """Return the maximum difference between an excerpt and the whole, at the best shift."""
    inside = part[most : len(part) - most]
    places = range(start, start + 2 * most + 1)
    return min(float(np.abs(whole[at : at + len(inside)] - inside).max()) for at in places)


@pytest.mark.parametrize("name", VARIANTS)
def test_middle_equals_a_whole_decoding(name: str) -> None:
    content = VARIANTS[name]()
    whole = decode(io.BytesIO(content))
    found = middle(io.BytesIO(content), 2.0)
    clip = found.clip
    assert found.total_seconds == pytest.approx(whole.seconds, abs=0.11)
    assert found.start_seconds == pytest.approx((found.total_seconds - 2) / 2, abs=1e-4)
    assert clip.seconds == pytest.approx(2, abs=1e-3)
    assert clip.lost_seconds == pytest.approx(whole.lost_seconds, abs=0.12)
    if name in SHIFTED or name == "rate changes":
        return
    most = clip.sample_rate // 1000 if name in ONE_MILLISECOND else 0
    start = round(found.start_seconds * clip.sample_rate)
    # The noise with which AAC fills bands depends on what was decoded before.
    tolerance = 0.06 if name.startswith("AAC") else 1e-5
    assert difference(clip.samples, whole.samples, start, most) < tolerance


@pytest.mark.parametrize("name", ["cbr, Xing", "Opus", "FLAC, length unknown", "chained Ogg"])
def test_middle_of_shorter_file_is_whole_file(name: str) -> None:
    content = VARIANTS[name]()
    whole, found = decode(io.BytesIO(content)), middle(io.BytesIO(content), 30)
    assert found.start_seconds == 0 and found.total_seconds == whole.seconds
    np.testing.assert_allclose(found.clip.samples, whole.samples, atol=1e-6)


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".ogg", ".flac", ".aac", ".wv"])
def test_middle_decodes_little_more_than_it_returns(
    suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For ten seconds of a minute, the audio before them is skipped and not decoded."""
    decoded = 0
    mono = audio._Packed.mono

    def counted(self: audio._Packed, frame: object) -> Samples:
        nonlocal decoded
        samples = mono(self, frame)
        decoded += len(samples)
        return samples

    def read(self: audio.Forward, frames: int, dtype: str) -> Samples:
        nonlocal decoded
        decoded += frames
        return super(audio.Forward, self).read(frames, dtype=dtype)

    content = mp3(seconds=60) if suffix == ".mp3" else ffmpeg(wav(60), suffix)
    monkeypatch.setattr(audio._Packed, "mono", counted)
    monkeypatch.setattr(audio.Forward, "read", read)
    found = middle(io.BytesIO(content), 10)
    assert found.start_seconds == pytest.approx(25, abs=0.05)
    assert 10 <= decoded / found.clip.sample_rate < 12


def test_middle_of_long_file_that_cannot_be_sought(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its samples are not kept, so it is decoded twice."""
    monkeypatch.setattr(excerpt, "KEPT_SECONDS", 5.0)
    content = VARIANTS["chained Ogg"]()
    whole, found = decode(io.BytesIO(content)), middle(io.BytesIO(content), 2)
    start = round(found.start_seconds * found.clip.sample_rate)
    expected = whole.samples[start : start + len(found.clip.samples)]
    np.testing.assert_array_equal(found.clip.samples, expected)


@pytest.mark.parametrize("suffix", ["FLAC", "AIFF", "WAV"])
def test_middle_of_a_broken_download(suffix: str) -> None:
    """The header still declares the whole length."""
    file = io.BytesIO()
    samples = np.random.default_rng(1).normal(0, 0.1, 20 * 22_050)
    sf.write(file, samples, 22_050, format=suffix, subtype="PCM_16")
    content = file.getvalue()[: len(file.getvalue()) * 3 // 4]
    whole, found = decode(io.BytesIO(content)), middle(io.BytesIO(content), 2.0)
    assert whole.seconds == pytest.approx(15, abs=0.3)
    assert found.total_seconds == pytest.approx(whole.seconds, abs=0.3)  # a broken packet or two
    assert (
        found.clip.lost_seconds == pytest.approx(whole.lost_seconds, abs=0.3)
        and whole.lost_seconds > 4
    )
    start = round(found.start_seconds * 22_050)
    assert difference(found.clip.samples, whole.samples, start, 0) < 1e-5


def test_middle_refuses_what_is_not_audio() -> None:
    with pytest.raises(UnusableClipError, match="empty file"):
        middle(io.BytesIO(), 30)
    with pytest.raises(UnusableClipError, match="no audio in it"):
        middle(io.BytesIO(b"<!doctype html>" * 1000), 30)
