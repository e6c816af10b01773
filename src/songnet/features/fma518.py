"""Compute FMA's 518 features: 7 statistics over time of 11 descriptors with 74 dimensions.

Source: M. Defferrard et al., "FMA: A Dataset for Music Analysis" (ISMIR 2017), whose features.csv
has the same column names. Every descriptor equals librosa's (0.11); all share one Fourier and one
constant-Q transform. Clips are resampled to one rate first, because the sample rate of a file
identifies its uploader and would leak the label.
"""

from functools import cache

import librosa
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songnet.features import cqt, spectral
from songnet.features.mel import mel_bands

SAMPLE_RATE = 22_050  # Hz
N_MELS = 128
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
    """Return FMA's columns (feature, statistics, number), in the order of features.csv."""
    names = [
        (feature, statistic, f"{i:02d}")
        for feature in features
        for statistic in STATISTICS
        for i in range(1, DIMENSIONS[feature] + 1)
    ]
    return pd.MultiIndex.from_tuples(names, names=["feature", "statistics", "number"])


def fma_features(samples: Array) -> Array:
    """Compute the 518 features.

    Args:
        samples: (samples,) mono at SAMPLE_RATE.

    Returns:
        (518,) in the order of `columns`.
    """
    spectra = spectral.magnitudes(samples)
    power = spectra**2
    tuning, power_tuning = (spectral.estimate_tuning(S, SAMPLE_RATE) for S in (spectra, power))
    constant_q = {"C": cqt.constant_q(samples, tuning), "bins_per_octave": cqt.BINS}
    cens = librosa.feature.chroma_cens(**constant_q)
    centroid, bandwidth = spectral.centroid_and_bandwidth(spectra, SAMPLE_RATE)
    descriptors = {
        "chroma_cens": cens,
        "chroma_cqt": librosa.feature.chroma_cqt(**constant_q),
        "chroma_stft": librosa.feature.chroma_stft(S=power, sr=SAMPLE_RATE, tuning=power_tuning),
        "mfcc": librosa.feature.mfcc(
            S=librosa.power_to_db(mel_bands(power.T, SAMPLE_RATE, N_MELS).T)
        ),
        "rmse": librosa.feature.rms(S=spectra),
        "spectral_bandwidth": bandwidth[None],
        "spectral_centroid": centroid[None],
        "spectral_contrast": librosa.feature.spectral_contrast(S=spectra, sr=SAMPLE_RATE),
        "spectral_rolloff": spectral.rolloff(spectra, SAMPLE_RATE),
        "tonnetz": librosa.feature.tonnetz(chroma=cens),
        "zcr": spectral.zero_crossing_rate(samples),
    }
    return statistics(descriptors)


def mfcc_features(mel: Array) -> Array:
    """Compute the 140 MFCC statistics from a mel-spectrogram.

    The MFCCs are the first 20 coefficients of the orthonormal DCT-II over the mel bands.

    Args:
        mel: (n_mels, frames) in dB.

    Returns:
        (140,) in the order of ``columns(("mfcc",))``.
    """
    return statistics({"mfcc": librosa.feature.mfcc(S=mel.astype(np.float32))})


def statistics(descriptors: dict[str, Array]) -> Array:
    """Compute seven statistics over time, as FMA defines them.

    Args:
        descriptors: (dimensions, frames) of each descriptor, in the order of DIMENSIONS.

    Returns:
        (features,) in the order of `columns`. Skewness and kurtosis of a constant row are 0.
    """
    # Third and fourth moments lose precision in float32.
    rows = np.concatenate(list(descriptors.values())).astype(np.float64)
    mean = rows.mean(axis=1)
    deviation = rows - mean[:, None]
    square = deviation**2
    variance = square.mean(axis=1)
    constant = variance <= (np.finfo(np.float64).eps * mean) ** 2
    divisor = np.where(constant, 1, variance)
    values = {
        "kurtosis": np.where(constant, 0, (square**2).mean(axis=1) / divisor**2 - 3),
        "max": rows.max(axis=1),
        "mean": mean,
        "median": np.median(rows, axis=1),
        "min": rows.min(axis=1),
        "skew": np.where(constant, 0, (square * deviation).mean(axis=1) / divisor**1.5),
        "std": np.sqrt(variance),
    }
    table = np.stack([values[name] for name in STATISTICS]).astype(np.float32)  # (7, dimensions)
    ends = np.cumsum([len(descriptor) for descriptor in descriptors.values()])
    return np.concatenate([part.ravel() for part in np.split(table, ends[:-1], axis=1)])
