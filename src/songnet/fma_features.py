"""FMA's 518 features of a clip: 11 descriptors in 74 dimensions, 7 statistics of each over time.

Source: M. Defferrard et al., "FMA: A Dataset for Music Analysis" (ISMIR 2017), whose features.csv
has the same column names. Every descriptor is librosa's; all share one STFT and one constant-Q
transform. They are computed at one sample rate for all clips, so that the rate of a file, a habit
of its uploader, cannot serve as a hint.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock
from numpy.typing import NDArray
from scipy import stats
from scipy.fft import dct

SAMPLE_RATE = 22_050  # Hz
DIMENSIONS = {
    "chroma_cens": 12,
    "chroma_cqt": 12,
    "chroma_stft": 12,
    "mfcc": 20,
    "rmse": 1,
    "spectral_bandwidth": 1,
    "spectral_centroid": 1,
    "spectral_contrast": 7,
    "spectral_rolloff": 1,
    "tonnetz": 6,
    "zcr": 1,
}
STATISTICS = ["kurtosis", "max", "mean", "median", "min", "skew", "std"]
Array = NDArray[np.float32]


@cache
def columns(features: tuple[str, ...] = tuple(DIMENSIONS)) -> pd.MultiIndex:
    """FMA's columns (feature, statistics, number), in the order of features.csv."""
    names = [
        (feature, statistic, f"{i:02d}")
        for feature in features
        for statistic in STATISTICS
        for i in range(1, DIMENSIONS[feature] + 1)
    ]
    return pd.MultiIndex.from_tuples(names, names=["feature", "statistics", "number"])


def compile_kernels(cache: str | Path) -> None:
    """Compile librosa's inner loops, or load them where another process already did.

    numba's cache breaks when processes fill it at the same time (numba issue 10128), so they take
    turns, in a cache of their own.

    Args:
        cache: folder, kept between runs. Call before librosa is imported.
    """
    Path(cache).mkdir(parents=True, exist_ok=True)
    os.environ["NUMBA_CACHE_DIR"] = str(Path(cache).resolve())
    with FileLock(Path(cache) / "lock"):
        fma_features(np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32))


def fma_features(samples: Array) -> Array:
    """Compute the 518 features.

    Args:
        samples: (samples,) mono at SAMPLE_RATE.

    Returns:
        (518,) in the order of `columns`.
    """
    import librosa

    stft = np.abs(librosa.stft(samples, n_fft=2048, hop_length=512))
    cqt = np.abs(librosa.cqt(samples, sr=SAMPLE_RATE, hop_length=512, n_bins=84, tuning=None))
    cens = librosa.feature.chroma_cens(C=cqt, n_chroma=12, n_octaves=7)
    mel = librosa.feature.melspectrogram(sr=SAMPLE_RATE, S=stft**2)
    descriptors = {
        "chroma_cens": cens,
        "chroma_cqt": librosa.feature.chroma_cqt(C=cqt, n_chroma=12, n_octaves=7),
        "chroma_stft": librosa.feature.chroma_stft(S=stft**2, n_chroma=12),
        "mfcc": librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20),
        "rmse": librosa.feature.rms(S=stft),
        "spectral_bandwidth": librosa.feature.spectral_bandwidth(S=stft),
        "spectral_centroid": librosa.feature.spectral_centroid(S=stft),
        "spectral_contrast": librosa.feature.spectral_contrast(S=stft, n_bands=6),
        "spectral_rolloff": librosa.feature.spectral_rolloff(S=stft),
        "tonnetz": librosa.feature.tonnetz(chroma=cens),
        "zcr": librosa.feature.zero_crossing_rate(samples, frame_length=2048, hop_length=512),
    }
    return np.concatenate([statistics(descriptors[name]) for name in DIMENSIONS])


def mfcc_features(mel: Array) -> Array:
    """Compute the 140 MFCC statistics from a mel-spectrogram.

    Args:
        mel: (n_mels, frames) in dB.

    Returns:
        (140,) in the order of ``columns(("mfcc",))``. The coefficients are the first 20 of the
        orthonormal DCT-II over the mel bands, as ``librosa.feature.mfcc(S=mel)``.
    """
    return statistics(dct(mel.astype(np.float32), axis=0, norm="ortho")[:20])


def statistics(descriptor: Array) -> Array:
    """Seven statistics over time, FMA's definition.

    Args:
        descriptor: (dimensions, frames).

    Returns:
        (7 x dimensions,): all dimensions of the first statistic, then of the next. Skewness and
        kurtosis of a constant row are 0.
    """
    descriptor = descriptor.astype(np.float64)  # third and fourth moments lose digits in float32
    values = [
        stats.kurtosis(descriptor, axis=1),
        descriptor.max(axis=1),
        descriptor.mean(axis=1),
        np.median(descriptor, axis=1),
        descriptor.min(axis=1),
        stats.skew(descriptor, axis=1),
        descriptor.std(axis=1),
    ]
    # Moments of a constant row are 0 / 0.
    return np.nan_to_num(np.concatenate(values)).astype(np.float32)
