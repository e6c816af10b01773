"""Mel-spectrograms equal librosa's."""

import io

import librosa
import numpy as np
import pytest
import soundfile as sf
from librosa import filters  # type: ignore[attr-defined]

from songnet.errors import UnusableClipError
from songnet.features import mpeg
from songnet.features.audio import average_channels, decode, decode_blocks, is_silent, resample
from songnet.features.log_mel import LogMelSpectrogram
from songnet.features.mel import MelSpectrogram, hann, mel_filters
from songnet.features.spectrogram import Array, describe, make_spectrogram


def librosa_mel(samples: Array, config: MelSpectrogram) -> Array:
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
        MelSpectrogram(),
        MelSpectrogram(n_mels=64),
        MelSpectrogram(44_100, 4096, 1024, 96),
        MelSpectrogram(16_000, 512, 160, 40),
    ],
)
@pytest.mark.parametrize("kind", ["noise", "chirp", "quiet", "bass"])
def test_mel_spectrogram_equals_librosa(config: MelSpectrogram, kind: str) -> None:
    rng = np.random.default_rng(1)
    time = np.arange(3 * config.sample_rate) / config.sample_rate
    samples = {
        "noise": rng.standard_normal(len(time)),
        "chirp": np.sin(2 * np.pi * (100 * time + 1000 * time**2))
        + 0.01 * rng.standard_normal(len(time)),
        "quiet": 1e-3 * rng.standard_normal(len(time)),
        # As in band-limited music: 100 dB between the loudest and the faintest band.
        "bass": np.sin(2 * np.pi * 60 * time) + 1e-5 * rng.standard_normal(len(time)),
    }[kind].astype(np.float32)
    ours, theirs = config.offline(samples), librosa_mel(samples, config)
    assert ours.shape == theirs.shape == (config.n_mels, config.frames(3))
    assert ours.dtype == np.float32
    above = theirs > MelSpectrogram.floor + 0.1
    assert np.abs(ours - theirs)[above].max() <= 1e-3
    assert above.mean() > 0.9


def test_mel_spectrogram_of_silence_is_floor() -> None:
    silence = MelSpectrogram().offline(np.zeros(22_050, np.float32))
    # The last bit of the logarithm differs between processors.
    np.testing.assert_allclose(silence, MelSpectrogram.floor, rtol=1e-6)


@pytest.mark.parametrize("config", [MelSpectrogram(), MelSpectrogram(48_000, 2048, 512, 200)])
def test_mel_filters_equal_librosa(config: MelSpectrogram) -> None:
    expected = filters.mel(sr=config.sample_rate, n_fft=config.n_fft, n_mels=config.n_mels)
    np.testing.assert_allclose(
        mel_filters(config.sample_rate, config.n_fft, config.n_mels), expected, atol=1e-8
    )
    np.testing.assert_allclose(hann(2048), filters.get_window("hann", 2048), atol=1e-7)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 32_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_decode_and_resample_equal_librosa(rate: int, channels: int) -> None:
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
def test_decode_reports_broken_clips(content: bytes, reason: str) -> None:
    with pytest.raises(UnusableClipError, match=reason):
        decode(io.BytesIO(content))


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.ones(22_050), "too short: 1.0 s, minimum 5 s"),
        (np.full(6 * 22_050, np.nan), "not finite"),
    ],
)
def test_decode_reports_unusable_samples(samples: np.ndarray, reason: str) -> None:
    file = io.BytesIO()
    sf.write(file, samples.astype(np.float32), 22_050, format="WAV", subtype="FLOAT")
    file.seek(0)
    with pytest.raises(UnusableClipError, match=reason):
        decode(file, min_seconds=5)


@pytest.mark.parametrize(
    ("low", "high", "silent"),
    [(0, 0, True), (0.5, 0.5, True), (-1e-4, 9e-5, True), (0, 3e-4, False)],
)
def test_is_silent_goes_by_the_range(low: float, high: float, silent: bool) -> None:
    assert is_silent(low, high) is silent


def test_decode_blocks_equal_whole_decoding() -> None:
    rng = np.random.default_rng(4)
    file = io.BytesIO()
    sf.write(file, 0.1 * rng.standard_normal((30 * 44_100, 2)), 44_100, format="MP3")
    blocks = list(decode_blocks(file))
    assert len(blocks) == 8 and {block.channels for block in blocks} == {2}
    file.seek(0)
    whole, _ = sf.read(file, dtype="float32")
    np.testing.assert_array_equal(
        np.concatenate([block.samples for block in blocks]), average_channels(whole)
    )


def test_decode_blocks_refuses_too_long_music() -> None:
    told, untold = io.BytesIO(), io.BytesIO()
    sf.write(told, np.ones(13 * 8_000), 8_000, format="FLAC")
    content = bytearray(told.getvalue())
    # The last 36 bits of these 8 bytes of STREAMINFO are the number of samples; 0 for streams.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    untold.write(content)
    for file, limit, decoded in [(told, 13, 13), (told, 12, 0), (untold, 13, 13), (untold, 12, 8)]:
        blocks: list[float] = []
        try:
            blocks.extend(clip.seconds for clip in decode_blocks(file, limit))
            assert limit == 13
        except UnusableClipError as error:
            assert limit == 12 and str(error) == f"longer than {12 / 3600:g} hours"
        assert 0 <= sum(blocks) - decoded <= 1, (limit, sum(blocks))


def test_decode_takes_any_scale_up_to_a_limit() -> None:
    """Some programs write floats on the scale of 16-bit integers."""
    rng = np.random.default_rng(5)
    samples = rng.normal(0, 0.1, 22_050).astype(np.float32)
    for scale, usable in [(1, True), (2.0**15, True), (2.0**31, True), (2.0**40, False)]:
        file = io.BytesIO()
        sf.write(file, samples * np.float32(scale), 22_050, format="WAV", subtype="FLOAT")
        if usable:
            np.testing.assert_array_equal(decode(file).samples, samples * np.float32(scale))
        else:
            with pytest.raises(UnusableClipError, match="too large for audio"):
                decode(file)


@pytest.mark.parametrize(
    "kind", ["8 kHz as 100 Hz", "MIDI sample dump", "playlist", "MP3 of noise"]
)
def test_decode_refuses_what_is_not_music(kind: str) -> None:
    wav = io.BytesIO()
    sf.write(wav, np.ones(1000), 100, format="WAV")
    content = {
        "8 kHz as 100 Hz": wav.getvalue(),
        "MIDI sample dump": bytes.fromhex("F07E0000010000") + b"\x10" + b"\x7f" * 500,
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n",
        "MP3 of noise": np.random.default_rng(0).bytes(300_000),
    }[kind]
    with pytest.raises(UnusableClipError, match=r"^not (decodable: no audio in it|music: 1 ch.*)$"):
        decode(io.BytesIO(content))


def test_is_stream_finds_mp3_but_not_chance() -> None:
    file = io.BytesIO()
    sf.write(file, np.random.default_rng(0).normal(0, 0.1, 44_100), 44_100, format="MP3")
    assert mpeg.is_stream(bytes(3000) + file.getvalue()[:5000])
    # Headers of three different formats in a row, as 32-bit samples may contain by chance.
    mixed = b""
    for header in ("fffb3800", "fff33800", "ffe33800"):
        frame = mpeg.read_header(bytes.fromhex(header))
        assert frame is not None
        mixed += bytes.fromhex(header) + bytes(frame.length - 4)
    assert not mpeg.is_stream(mixed)


def test_log_mel_spectrogram_equals_musicnn_front_end() -> None:
    samples: Array = np.random.default_rng(0).standard_normal(48_000, np.float32) / np.float32(10)
    found = LogMelSpectrogram()
    power = librosa.feature.melspectrogram(
        y=samples, sr=16_000, n_fft=512, hop_length=256, n_mels=96, center=True, pad_mode="constant"
    )
    np.testing.assert_allclose(
        (found.offline(samples) + 40) / 10, np.log10(1 + 1e4 * power), atol=1e-4
    )
    silence = found.offline(np.zeros(16_000, np.float32))
    np.testing.assert_allclose(silence, LogMelSpectrogram.floor, rtol=1e-6)


@pytest.mark.parametrize("kind", [MelSpectrogram(n_mels=64), LogMelSpectrogram()])
@pytest.mark.parametrize("piece", [1, 700, 30_000])
def test_spectrogram_stream_equals_offline(kind: MelSpectrogram, piece: int) -> None:
    samples: Array = np.random.default_rng(0).standard_normal(20_000, np.float32)
    stream = kind.stream()
    pieces = [stream.push(samples[i : i + piece]) for i in range(0, len(samples), piece)]
    streamed = np.concatenate([*pieces, stream.finish()], axis=1)
    np.testing.assert_allclose(streamed, kind.offline(samples), atol=1e-3)


def test_make_spectrogram_inverts_describe() -> None:
    for kind in (MelSpectrogram(n_mels=40), LogMelSpectrogram()):
        assert make_spectrogram(describe(kind)) == kind
