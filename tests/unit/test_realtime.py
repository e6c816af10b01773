"""Streaming in chunks equals the offline model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from songnet.errors import SongNetError
from songnet.features.audio import Clip, average_channels, resample
from songnet.features.mel import MelSpectrogram
from songnet.features.spectrogram import describe
from songnet.models.base import save
from songnet.models.causal_crnn import CausalCRNN
from songnet.models.configs import CausalCRNNConfig, CRNNConfig
from songnet.models.crnn import CRNN
from songnet.realtime.outputs import of_middle, of_whole
from songnet.realtime.results import predict
from songnet.realtime.stream import Model, Step, Stream, load_model

MEL = MelSpectrogram(n_mels=64)
GENRES = ["Folk", "Pop", "Rock"]
FACTS = {
    "model": "causal_crnn", "dataset": "tests", "protocol": "artist", "spectrogram": describe(MEL),
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """An untrained network with large random weights, saved and loaded."""
    torch.manual_seed(0)
    network = CausalCRNN(CausalCRNNConfig(MEL.n_mels, 3, MEL.sample_rate / MEL.hop_length))
    network.set_statistics(
        torch.full((64, 1), -40.0), torch.full((64, 1), 15.0), np.zeros((1, 3), np.float32)
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2.0)
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save(network, GENRES, FACTS, path)
    return load_model(path)


def music(seconds: float, rate: int, channels: int = 1) -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    time = np.arange(int(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * (200 + 300 * np.sin(time)) * time) * (np.sin(3 * time) > 0)
    shape = (len(time),) if channels == 1 else (len(time), channels)
    noise = 0.05 * rng.standard_normal(shape)
    return (0.3 * tone.reshape(-1, *[1] * (len(shape) - 1)) + noise).astype(np.float32)


def at_once(model: Model, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """Clip probabilities of the offline path, (steps, C)."""
    mel = MEL.offline(resample(Clip(average_channels(samples), rate, 1), MEL.sample_rate))
    rounded = torch.from_numpy(mel.astype(np.float16).astype(np.float32))[None]
    with torch.no_grad():
        return model.saved.network(rounded).clip_logits[0].exp().numpy()


def piecewise(
    model: Model, samples: NDArray[np.float32], rate: int, sizes: list[int]
) -> list[Step]:
    stream, steps, at, i = Stream(model, rate), [], 0, 0
    while at < len(samples):
        size = sizes[i % len(sizes)]
        steps += stream.push(samples[at : at + size])
        at, i = at + size, i + 1
    return steps + stream.finish()


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 8_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("size", [160, 1_000, 22_050, 10**9])
def test_stream_equals_offline_by_chunk_size(
    model: Model, rate: int, channels: int, size: int
) -> None:
    samples = music(4.3, rate, channels)
    expected = at_once(model, samples, rate)
    assert len(expected) == 11 and np.ptp(expected, axis=0).max() > 0.01
    steps = piecewise(model, samples, rate, [size])
    np.testing.assert_allclose([step.clip_probabilities for step in steps], expected, atol=1e-4)
    mels = np.concatenate([step.spectrogram for step in steps], axis=1)
    mono = resample(Clip(average_channels(samples), rate, 1), MEL.sample_rate)
    np.testing.assert_allclose(mels, MEL.offline(mono)[:, : mels.shape[1]], atol=1e-3)


def test_of_middle_equals_stream(model: Model, tmp_path: Path) -> None:
    samples = np.round(music(6, 44_100, 2) * 2**15).astype(np.int16)
    sf.write(tmp_path / "song.wav", samples, 44_100)
    with (tmp_path / "song.wav").open("rb") as file:
        found = of_middle(model, file, 4.0)
        whole = of_whole(model, file)
    part = samples[44_100 : 5 * 44_100].astype(np.float32) / np.float32(2**15)
    steps = piecewise(model, part, 44_100, [9_000])
    np.testing.assert_allclose(found.clip_probabilities, steps[-1].clip_probabilities, atol=1e-4)
    np.testing.assert_allclose(found.embedding, steps[-1].embedding, atol=1e-3)
    expected = [step.step_probabilities for step in steps]
    np.testing.assert_allclose(found.step_probabilities, expected, atol=1e-4)
    assert found[4:] == pytest.approx((6, 1, 4, 0)) and whole[4:] == pytest.approx((6, 0, 6, 0))
    assert not np.allclose(found.clip_probabilities, whole.clip_probabilities, atol=1e-3)


def test_stream_equals_offline_sample_by_sample(model: Model) -> None:
    samples = music(1.6, 44_100)
    steps = piecewise(model, samples, 44_100, [1])
    np.testing.assert_allclose(
        [step.clip_probabilities for step in steps], at_once(model, samples, 44_100), atol=1e-4
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=6), st.integers(1, 80_000))
def test_stream_equals_offline_for_random_chunks(
    model: Model, sizes: list[int], length: int
) -> None:
    samples = music(4, 22_050)[:length]
    steps = piecewise(model, samples, 22_050, [*sizes, 5_000])
    assert len(steps) == (1 + length // 512) // 16
    if steps:
        expected = at_once(model, samples, 22_050)
        np.testing.assert_allclose([step.clip_probabilities for step in steps], expected, atol=1e-4)


def test_stream_takes_floats_and_refuses_other_samples(model: Model) -> None:
    samples: Any = np.random.default_rng(1).normal(0, 0.1, 2 * 22_050)
    one, other = (Stream(model, 22_050).push(x) for x in (samples, samples.astype(np.float32)))
    assert len(one) == len(other) > 0
    with pytest.raises(ValueError, match=r"samples must be \(n,\) or \(n, channels\), not \(2, "):
        Stream(model, 22_050).push(samples.reshape(2, -1))
    with pytest.raises(ValueError, match="samples must be floats between -1 and 1, not int16"):
        Stream(model, 22_050).push((32_767 * samples).astype(np.int16))
    with pytest.raises(ValueError, match="sample_rate must be 4000 to 192000 Hz, not 1000"):
        Stream(model, 1_000)


def test_stream_gives_step_with_its_last_sample(model: Model) -> None:
    stream = Stream(model, 22_050)
    # Frame 15 is centred at 15 * 512, and ends half a window later.
    needed = 15 * 512 + 1024
    assert stream.push(music(1, 22_050)[: needed - 1]) == []
    (step,) = stream.push(np.zeros(1, np.float32))
    assert step.seconds == pytest.approx(16 * 512 / 22_050)


def test_stream_memory_does_not_grow(model: Model) -> None:
    def held(stream: Stream) -> int:
        arrays = [*stream._frames._pieces, stream._waiting]
        return sum(a.nbytes for a in arrays) + sum(t.nbytes for t in stream._state)

    minute = music(60, 22_050)
    stream = Stream(model, 22_050)
    stream.push(minute)
    after_a_minute = held(stream)
    for _ in range(9):
        stream.push(minute)
    assert held(stream) <= 1.5 * after_a_minute < 2**20


def test_streams_are_independent(model: Model) -> None:
    samples = music(3, 22_050)
    first, second = Stream(model, 22_050), Stream(model, 22_050)
    steps = []
    for start in range(0, len(samples), 5_000):
        steps += first.push(samples[start : start + 5_000])
        second.push(-0.5 * samples[::-1][start : start + 5_000])
    expected = at_once(model, samples, 22_050)[: len(steps)]
    np.testing.assert_allclose([step.clip_probabilities for step in steps], expected, atol=1e-4)


def test_stream_recovers_from_invalid_samples(model: Model) -> None:
    """16-bit samples read as floats are finite but up to 3e38; integers are valid."""
    stream = Stream(model, 22_050)
    bad = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38] * 3_000, np.float32)
    steps = stream.push(bad) + stream.push(music(2, 22_050))
    assert len(steps) == 7
    for step in steps:
        assert np.isfinite(step.spectrogram).all() and np.isfinite(step.clip_probabilities).all()


@pytest.mark.parametrize("kind", ["silence", "channels that cancel", "denormal", "constant"])
def test_stream_detects_silence(model: Model, kind: str) -> None:
    tone = music(2, 22_050)
    samples = {
        "silence": np.zeros_like(tone),
        "channels that cancel": np.column_stack([tone, -tone]),
        "denormal": tone * np.float32(1e-38),
        "constant": np.full_like(tone, 0.5),
    }[kind]
    stream = Stream(model, 22_050)
    assert all(step.silent for step in stream.push(samples)) and stream.silent
    assert not stream.push(tone)[-1].silent


def test_stream_takes_samples_of_any_scale(model: Model) -> None:
    """Levels are relative to the running peak, so scaling changes nothing."""
    tone = music(4, 22_050)
    (a, b) = (piecewise(model, tone * np.float32(s), 22_050, [9_000])[-1] for s in (1, 2**15))
    np.testing.assert_allclose(a.clip_probabilities, b.clip_probabilities, atol=2e-3)
    np.testing.assert_allclose(
        at_once(model, tone * np.float32(2**15), 22_050)[-1], b.clip_probabilities, atol=1e-4
    )


def test_predict_genre_and_unsure() -> None:
    assert predict(np.array([0.1, 0.6, 0.3], np.float32), GENRES)[::2] == ("Pop", False)
    assert predict(np.array([0.1, 0.47, 0.43], np.float32), GENRES)[::2] == ("Pop", True)


def test_load_model_refuses_unusable_networks(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(SongNetError, match="no such file"):
        load_model(path)
    save(
        CRNN(CRNNConfig(64, 3, 43.0)), GENRES, {"model": "crnn", "spectrogram": describe(MEL)}, path
    )
    with pytest.raises(SongNetError, match="crnn is not causal"):
        load_model(path)
    save(
        CausalCRNN(CausalCRNNConfig(64, 3, 4.3)), GENRES, {"model": "x", "spectrogram": None}, path
    )
    with pytest.raises(SongNetError, match="trained on precomputed spectrograms"):
        load_model(path)
    measured = {"subset": "test", "accuracy": 0.5}
    changes: list[tuple[dict[str, Any], str]] = [
        ({"dataset": None}, "lacks dataset"),
        ({"measured": measured}, "measured lacks ci_high, ci_low, tracks"),
        ({"measured": [1]}, ""),
        (
            {"measured": dict.fromkeys([*measured, "ci_low", "ci_high", "tracks"], "x")},
            "measured h",
        ),
        ({"spectrogram": "64 bands"}, ""),
        ({"spectrogram": describe(MEL) | {"n_fft": 2**40}}, ".* n_fft than 65536: "),
        (
            {"spectrogram": describe(MEL) | {"f_min": 20}},
            "mel has different keys in this version: f_min",
        ),
        (
            {"spectrogram": {"kind": "mel", "n_mels": 64}},
            "mel has different keys in this version: hop_length, n_fft, sample_",
        ),
        ({"spectrogram": describe(MEL) | {"hop_length": 0}}, "a value is not a positive integer: "),
        ({"spectrogram": describe(MEL) | {"n_mels": 128}}, "128 bands, but the network expects 64"),
        ({"spectrogram": {"kind": "cqt"}}, "'cqt' is not a kind of spectrogram"),
    ]
    for change, reason in changes:
        save(CausalCRNN(CausalCRNNConfig(64, 3, 43.0)), GENRES, FACTS | change, path)
        with pytest.raises(SongNetError, match=f"m.safetensors: not a network that .*: {reason}"):
            load_model(path)
    path.write_bytes(b"not weights")
    with pytest.raises(SongNetError, match="not a network saved by SongNet"):
        load_model(path)
