"""Mel-spectrograms equal librosa's."""

import io
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile as sf
from librosa import filters  # type: ignore[attr-defined]

from songnet.audio import decode, decode_blocks, resample
from songnet.errors import UnusableClipError
from songnet.mel import FLOOR_DB, MelConfig, hann, mel_filters, mel_spectrogram
from songnet.shards import Mel


def librosa_mel(samples: Mel, config: MelConfig) -> Mel:
    power = librosa.feature.melspectrogram(
        y=samples,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        n_mels=config.n_mels,
    )
    return librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)


@pytest.mark.parametrize(
    "config",
    [
        MelConfig(),
        MelConfig(n_mels=64),
        MelConfig(44_100, 4096, 1024, 96),
        MelConfig(16_000, 512, 160, 40),
    ],
)
@pytest.mark.parametrize("kind", ["noise", "chirp", "quiet", "bass"])
def test_equals_librosa(config: MelConfig, kind: str) -> None:
    rng = np.random.default_rng(1)
    time = np.arange(3 * config.sample_rate) / config.sample_rate
    samples = {
        "noise": rng.standard_normal(len(time)),
        "chirp": np.sin(2 * np.pi * (100 * time + 1000 * time**2))
        + 0.01 * rng.standard_normal(len(time)),
        "quiet": 1e-3 * rng.standard_normal(len(time)),
        # As in music through a narrow channel: 100 dB from the loudest band to the faintest.
        "bass": np.sin(2 * np.pi * 60 * time) + 1e-5 * rng.standard_normal(len(time)),
    }[kind].astype(np.float32)
    ours, theirs = mel_spectrogram(samples, config), librosa_mel(samples, config)
    assert ours.shape == theirs.shape == (config.n_mels, config.frames(3))
    assert ours.dtype == np.float32
    above = theirs > FLOOR_DB + 0.1
    assert np.abs(ours - theirs)[above].max() <= 1e-3
    assert above.mean() > 0.9


def test_silence_is_the_floor() -> None:
    silence = mel_spectrogram(np.zeros(22_050, np.float32), MelConfig())
    # The logarithm's last bit differs between processors.
    np.testing.assert_allclose(silence, FLOOR_DB, rtol=1e-6)


@pytest.mark.parametrize("config", [MelConfig(), MelConfig(48_000, 2048, 512, 200)])
def test_filters_equal_librosa(config: MelConfig) -> None:
    expected = filters.mel(sr=config.sample_rate, n_fft=config.n_fft, n_mels=config.n_mels)
    np.testing.assert_allclose(mel_filters(config), expected, atol=1e-8)
    np.testing.assert_allclose(hann(2048), filters.get_window("hann", 2048), atol=1e-7)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 32_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_decoding_equals_librosa(rate: int, channels: int) -> None:
    rng = np.random.default_rng(2)
    shape = (2 * rate,) if channels == 1 else (2 * rate, channels)
    file = io.BytesIO()
    sf.write(file, 0.1 * rng.standard_normal(shape), rate, format="MP3")
    file.seek(0)
    expected, _ = librosa.load(io.BytesIO(file.getvalue()), sr=22_050)
    clip = decode(file)
    assert (clip.sample_rate, clip.channels) == (rate, channels)
    samples = resample(clip, 22_050)
    np.testing.assert_allclose(samples[: len(expected)], expected[: len(samples)], atol=1e-6)
    assert abs(len(samples) - len(expected)) <= 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"<html>" * 500, "not decodable"), (b"\xff\xfb" * 40, "not decodable")],
)
def test_broken_clips_have_reasons(content: bytes, reason: str) -> None:
    with pytest.raises(UnusableClipError, match=reason):
        decode(io.BytesIO(content))


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.ones(22_050), "too short: 1.0 s, minimum 5 s"),
        (np.zeros(6 * 22_050), "silent"),
        (np.full(6 * 22_050, np.nan), "not finite"),
    ],
)
def test_unusable_sound_has_reasons(samples: np.ndarray, reason: str) -> None:
    file = io.BytesIO()
    sf.write(file, samples.astype(np.float32), 22_050, format="WAV", subtype="FLOAT")
    file.seek(0)
    with pytest.raises(UnusableClipError, match=reason):
        decode(file, min_seconds=5)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.5])
def test_silence_counts_where_the_whole_clip_was_decoded(seconds: float) -> None:
    file = io.BytesIO()
    sf.write(file, np.zeros(22_050), 22_050, format="WAV")
    file.seek(0)
    if seconds <= 1:
        assert decode(file, max_seconds=seconds).seconds == seconds
    else:
        with pytest.raises(UnusableClipError, match="silent from start to end"):
            decode(file, max_seconds=seconds)


@pytest.mark.parametrize("seconds", [0.02, 0.3, 10])
def test_blocks_of_a_file_join_without_a_seam(tmp_path: Path, seconds: float) -> None:
    rng = np.random.default_rng(4)
    file = tmp_path / "noise.mp3"
    sf.write(file, 0.1 * rng.standard_normal((44_100, 2)), 44_100)
    blocks = np.concatenate([clip.samples for clip in decode_blocks(str(file), seconds)])
    np.testing.assert_array_equal(blocks, decode(io.BytesIO(file.read_bytes())).samples)


def test_a_file_that_is_too_long_is_refused_by_its_header_or_where_it_goes_on(
    tmp_path: Path,
) -> None:
    told, untold = tmp_path / "told.flac", tmp_path / "untold.flac"
    sf.write(told, np.zeros(5 * 8_000), 8_000)
    content = bytearray(told.read_bytes())
    # The last 36 bits of these 8 bytes of STREAMINFO number the samples; 0 where they stream.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    untold.write_bytes(content)
    for file, limit, decoded in [(told, 5, 5), (told, 4, 0), (untold, 5, 5), (untold, 4, 4)]:
        blocks: list[float] = []
        try:
            blocks.extend(clip.seconds for clip in decode_blocks(str(file), 1, limit))
            assert limit == 5
        except UnusableClipError as error:
            assert limit == 4 and str(error) == f"longer than {4 / 3600:g} hours"
        assert sum(blocks) == decoded, (file, limit)
