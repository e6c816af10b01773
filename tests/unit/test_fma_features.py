"""The 518 features equal direct calls of librosa."""

import librosa
import numpy as np
import pytest

from songnet.features import spectral
from songnet.features.cqt import constant_q
from songnet.features.fma518 import STATISTICS, columns, fma_features, mfcc_features
from songnet.features.mel import MelSpectrogram
from tests.reference import librosa_features

RATE = 22_050


def music(detuned: float) -> np.ndarray:
    """A chord with tremolo, detuned by some semitones, with noise and a faint part.

    No part is silent: chroma is relative to the loudest note of each frame, so for digital silence
    it consists of rounding errors.
    """
    rng = np.random.default_rng(3)
    time = np.arange(5 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * f * 2 ** (detuned / 12) * time) for f in (220.0, 277.2, 329.6))
    sound = 0.2 * chord * (1 + np.sin(4 * np.pi * time)) + 0.02 * rng.standard_normal(len(time))
    return (sound * np.where(np.abs(time - 3) > 0.4, 1, 0.02)).astype(np.float32)


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    return music(0.0)


@pytest.mark.parametrize("detuned", [0.0, -0.34])
def test_fma_features_equal_librosa(detuned: float) -> None:
    samples = music(detuned)
    found, expected = fma_features(samples), librosa_features(samples)
    different = ~np.isclose(found, expected, rtol=1e-3, atol=1e-5)
    assert found.shape == (518,)
    assert not different.any(), columns()[different].tolist()


@pytest.mark.parametrize("detuned", [-0.34, 0.0, 0.21])
@pytest.mark.parametrize("power", [1, 2])
def test_estimate_tuning_equals_librosa(detuned: float, power: int) -> None:
    spectra = np.abs(librosa.stft(music(detuned))) ** power
    found = spectral.estimate_tuning(spectra, RATE)
    assert found == pytest.approx(librosa.estimate_tuning(S=spectra, sr=RATE), abs=1e-6)
    assert found == pytest.approx(detuned, abs=0.06)


@pytest.mark.parametrize("tuning", [-0.5, 0.0, 0.17])
@pytest.mark.parametrize("length", [5 * RATE, 40_001])
def test_constant_q_equals_librosa(samples: np.ndarray, tuning: float, length: int) -> None:
    samples = samples[:length]
    expected = np.abs(librosa.cqt(samples, sr=RATE, hop_length=512, n_bins=84, tuning=tuning))
    found = constant_q(samples, tuning)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_fma_features_of_silence_are_finite() -> None:
    features = dict(zip(columns(), fma_features(np.zeros(3 * RATE, np.float32)), strict=True))
    assert np.isfinite(list(features.values())).all()
    assert features["zcr", "max", "01"] == features["spectral_bandwidth", "max", "01"] == 0


def test_columns_are_fmas() -> None:
    names = columns()
    assert names.names == ["feature", "statistics", "number"]
    assert names[0] == ("chroma_cens", "kurtosis", "01")
    assert names[-1] == ("zcr", "std", "01")
    assert len(columns(("mfcc",))) == 140
    assert sum(name[0] == "mfcc" for name in names) == 140


def test_mfcc_features_equal_librosa(samples: np.ndarray) -> None:
    mel = MelSpectrogram().offline(samples)
    expected = librosa.feature.mfcc(S=mel, n_mfcc=20)
    found = dict(zip(STATISTICS, mfcc_features(mel).reshape(7, 20), strict=True))
    for name in ("mean", "max"):
        np.testing.assert_allclose(
            found[name], getattr(expected, name)(axis=1), rtol=1e-4, atol=1e-3
        )


def test_mfcc_features_of_constant_spectrogram_are_finite() -> None:
    assert np.isfinite(mfcc_features(np.full((128, 50), -40.0, np.float32))).all()
