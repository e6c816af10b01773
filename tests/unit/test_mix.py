"""Mixtures of clips for a student."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songnet.data.tracks import read_tracks
from songnet.features.log_mel import LogMelSpectrogram
from songnet.features.mel import MelSpectrogram
from songnet.features.spectrogram import describe
from songnet.models.musicnn import MAPS
from songnet.pipeline.mix import excerpt, mix_shard, mixture
from tests.pretrained import saved, tagger


def test_excerpt_changes_speed_and_pitch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("songnet.pipeline.mix.SPEEDS", (1.1, 1.1))
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * 16_000) / 16_000).astype(np.float32)
    found = excerpt(tone, 16_000, 16_000, np.random.default_rng(1))
    assert found.shape == (16_000,) and found.dtype == np.float32
    assert np.abs(np.fft.rfft(found)).argmax() == 484
    assert excerpt(tone, 5 * 16_000, 16_000, np.random.default_rng(1)).shape == (5 * 16_000,)


def test_mixture_levels_loudness() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(0, [[0.1], [0.001]], (2, 50_000)).astype(np.float32)
    mixed = mixture(first, second, 0.4)
    assert np.corrcoef(mixed, first)[0, 1] == pytest.approx(0.4 / np.hypot(0.4, 0.6), abs=0.01)
    faint = np.float32(1e-6) * second
    np.testing.assert_allclose(mixture(first, faint, 0.5), first / 2, atol=1e-7)


def test_mix_shard_writes_spectrograms_and_embeddings(archives: Path, tmp_path: Path) -> None:
    weights = saved(tmp_path / "m.safetensors", tagger(), ["Jazz", "Rock"])
    encoder = {"kind": "musicnn", "spectrogram": describe(LogMelSpectrogram())}
    track_ids = read_tracks(str(archives / "fma_metadata.zip")).index[:3].tolist()
    paths = [str(archives / "fma_small.zip")]
    written = []
    for name in ("a", "b"):
        mel, table = tmp_path / f"{name}.npy", tmp_path / f"{name}.parquet"
        mix_shard(
            str(mel), str(table), "fma_zip", paths, track_ids, count=6, clip_seconds=30.0, seed=1,
            spectrogram=describe(MelSpectrogram()), encoder=encoder, weights=str(weights),
        )  # fmt: skip
        written.append((mel.read_bytes(), table.read_bytes()))
    assert written[0] == written[1]
    mels, found = np.load(tmp_path / "a.npy"), pd.read_parquet(tmp_path / "a.parquet")
    assert mels.shape == (6, 128, 431) and mels.dtype == np.float16 and np.isfinite(mels).all()
    assert found.shape == (6, 2 + MAPS) and np.isfinite(found).all(axis=None)
    assert set(found["first"]) | set(found["second"]) <= set(track_ids)
    assert (found["first"] != found["second"]).any()
