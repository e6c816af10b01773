"""The 518 features equal librosa calls written out plainly."""

import librosa
import numpy as np
import pytest
from scipy import stats

from songnet.features import chroma, spectral
from songnet.features.cqt import constant_q
from songnet.features.fma518 import columns, fma_features, mfcc_features
from songnet.features.mel import MelSpectrogram

RATE = 22_050


def plain_features(x: np.ndarray) -> dict[str, np.ndarray]:
    """FMA's recipe, descriptor by descriptor.

    Its librosa (0.5) took the constant-Q bins for semitones; newer ones must be told.
    """
    stft = np.abs(librosa.stft(x, n_fft=2048, hop_length=512))
    cqt = np.abs(
        librosa.cqt(x, sr=RATE, hop_length=512, bins_per_octave=12, n_bins=84, tuning=None)
    )
    octaves = {"n_chroma": 12, "n_octaves": 7, "bins_per_octave": 12}
    mel = librosa.feature.melspectrogram(sr=RATE, S=stft**2)
    return {
        "zcr": librosa.feature.zero_crossing_rate(x, frame_length=2048, hop_length=512),
        "chroma_cqt": librosa.feature.chroma_cqt(C=cqt, **octaves),
        "chroma_cens": librosa.feature.chroma_cens(C=cqt, **octaves),
        "tonnetz": librosa.feature.tonnetz(chroma=librosa.feature.chroma_cens(C=cqt, **octaves)),
        "chroma_stft": librosa.feature.chroma_stft(S=stft**2, n_chroma=12),
        "rmse": librosa.feature.rms(S=stft),
        "spectral_centroid": librosa.feature.spectral_centroid(S=stft),
        "spectral_bandwidth": librosa.feature.spectral_bandwidth(S=stft),
        "spectral_contrast": librosa.feature.spectral_contrast(S=stft, n_bands=6),
        "spectral_rolloff": librosa.feature.spectral_rolloff(S=stft),
        "mfcc": librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20),
    }


def music(detuned: float) -> np.ndarray:
    """A trembling chord, some semitones out of tune, with noise and a faint part.

    Not a silent one: chroma of each frame is relative to its loudest note, so that of digital
    silence is rounding errors.
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
def test_518_equal_librosa(detuned: float) -> None:
    samples = music(detuned)
    ours = dict(zip(columns(), fma_features(samples), strict=True))
    assert len(ours) == 518
    functions = {
        "mean": np.mean, "std": np.std, "median": np.median, "min": np.min, "max": np.max,
        "skew": stats.skew, "kurtosis": stats.kurtosis,
    }  # fmt: skip
    for feature, values in plain_features(samples).items():
        for statistic, function in functions.items():
            for i, row in enumerate(values, start=1):
                expected = function(row.astype(np.float64))
                found = ours[feature, statistic, f"{i:02d}"]
                assert found == pytest.approx(expected, rel=1e-3, abs=1e-5), (feature, statistic, i)


@pytest.mark.parametrize("detuned", [-0.34, 0.0, 0.21])
def test_tuning_equals_librosa(detuned: float) -> None:
    spectra = spectral.magnitudes(music(detuned))
    for kind in (spectra, spectra**2):
        found = chroma.estimate_tuning(kind, RATE)
        assert found == pytest.approx(librosa.estimate_tuning(S=kind.T, sr=RATE), abs=1e-6)
        assert found == pytest.approx(detuned, abs=0.06)


@pytest.mark.parametrize("tuning", [-0.5, 0.0, 0.17])
@pytest.mark.parametrize("length", [5 * RATE, 40_001])
def test_constant_q_equals_librosa(samples: np.ndarray, tuning: float, length: int) -> None:
    samples = samples[:length]
    expected = np.abs(librosa.cqt(samples, sr=RATE, hop_length=512, n_bins=84, tuning=tuning))
    found = constant_q(samples, tuning)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_silence_has_finite_features() -> None:
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


def test_mfcc_from_a_spectrogram_equals_librosa(samples: np.ndarray) -> None:
    mel = MelSpectrogram().offline(samples)
    expected = librosa.feature.mfcc(S=mel, n_mfcc=20)
    found = mfcc_features(mel).reshape(7, 20)
    names = [name[1] for name in columns(("mfcc",))][::20]
    np.testing.assert_allclose(
        found[names.index("mean")], expected.mean(axis=1), rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(
        found[names.index("max")], expected.max(axis=1), rtol=1e-4, atol=1e-3
    )


def test_a_constant_row_has_no_nan() -> None:
    assert np.isfinite(mfcc_features(np.full((128, 50), -40.0, np.float32))).all()
