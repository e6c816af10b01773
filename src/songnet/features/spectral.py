"""Descriptors of the spectrum's shape and level, frame by frame, equal to librosa's (0.11)."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from songnet.features.mel import BLOCK, short_time_spectra

N_FFT = 2_048
HOP_LENGTH = 512
ROLLOFF = 0.85
LOWEST_OCTAVE = 200.0  # Hz: upper edge of the lowest of CONTRAST_BANDS bands
CONTRAST_BANDS = 7
QUANTILE = 0.02
FAINT_SAMPLE = 1e-10
Array = NDArray[np.float32]


def magnitudes(samples: Array) -> Array:
    """Magnitudes of the short-time Fourier transform: (samples,) -> (frames, N_FFT // 2 + 1)."""
    result = np.empty((1 + len(samples) // HOP_LENGTH, N_FFT // 2 + 1), np.float32)
    for block, spectra in short_time_spectra(np.pad(samples, N_FFT // 2), N_FFT, HOP_LENGTH):
        np.abs(spectra, out=result[block])
    return result


def centroid_and_bandwidth(spectra: Array, sample_rate: int) -> Array:
    """Mean and standard deviation of the frequency: (frames, bins) -> (2, frames) in Hz."""
    frequency = np.linspace(0, sample_rate / 2, spectra.shape[1])
    powers = np.stack([np.ones_like(frequency), frequency, frequency**2], axis=1)
    # The difference of the squares loses digits: double precision keeps enough.
    moments = np.empty((len(spectra), 3))
    for start in range(0, len(spectra), BLOCK):
        block = spectra[start : start + BLOCK].astype(np.float64)
        np.matmul(block, powers, out=moments[start : start + BLOCK])
    level, first, second = moments.T
    level = np.where(level < np.finfo(np.float32).tiny, 1, level)
    variance = second / level - (first / level) ** 2
    return np.stack([first / level, np.sqrt(np.maximum(variance, 0))]).astype(np.float32)


def rolloff(spectra: Array, sample_rate: int) -> Array:
    """Frequency below which 85 % of the magnitude lies: (frames, bins) -> (1, frames) in Hz."""
    below = np.empty(len(spectra), np.int64)
    for start in range(0, len(spectra), BLOCK):
        sums = np.cumsum(spectra[start : start + BLOCK], axis=1)
        below[start : start + BLOCK] = (sums < np.float32(ROLLOFF) * sums[:, -1:]).sum(axis=1)
    return (below * (sample_rate / 2 / (spectra.shape[1] - 1)))[None].astype(np.float32)


def contrast(spectra: Array, sample_rate: int) -> Array:
    """Peak over valley of each octave band: (frames, bins) -> (CONTRAST_BANDS, frames) in dB."""
    n_bins = spectra.shape[1]
    edges = LOWEST_OCTAVE * 2.0 ** np.arange(-1, CONTRAST_BANDS)
    edges[0] = 0
    bins = np.linspace(0, sample_rate / 2, n_bins)
    peaks = np.empty((CONTRAST_BANDS, len(spectra)), np.float32)
    valleys = np.empty_like(peaks)
    for band, (low, high) in enumerate(pairwise(edges)):
        first = int(np.searchsorted(bins, low)) - (band > 0)
        stop = int(np.searchsorted(bins, high, side="right"))
        last = band == CONTRAST_BANDS - 1
        stop = n_bins if last else stop
        count = max(1, round(QUANTILE * (stop - first)))
        # librosa counts the uppermost bin of a band but leaves it to the next one.
        ranked = np.sort(spectra[:, first : stop - (not last)], axis=1)
        valleys[band] = ranked[:, :count].mean(axis=1)
        peaks[band] = ranked[:, -count:].mean(axis=1)
    return decibels_below_peak(peaks) - decibels_below_peak(valleys)


def decibels_below_peak(power: Array) -> Array:
    """Return ``10 log10(power)``, not below -100 nor 80 below the maximum."""
    level: Array = 10 * np.log10(np.maximum(power, 1e-10))
    return np.maximum(level, level.max() - 80)


def root_mean_square(spectra: Array) -> Array:
    """Level of each frame: (frames, bins) -> (1, frames)."""
    energy = np.einsum("fb,fb->f", spectra, spectra)
    energy -= (spectra[:, 0] ** 2 + spectra[:, -1] ** 2) / 2  # the others stand for two each
    return np.sqrt(2 * energy)[None] / np.float32(N_FFT)


def zero_crossing_rate(samples: Array) -> Array:
    """Share of samples whose sign is not that of the one before: (samples,) -> (1, frames)."""
    negative = np.pad(samples < -FAINT_SAMPLE, N_FFT // 2, mode="edge")
    crossings = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1], dtype=np.int32)])
    starts = np.arange(0, len(negative) - N_FFT + 1, HOP_LENGTH)
    counts = crossings[starts + N_FFT - 1] - crossings[starts]
    return (counts / np.float32(N_FFT))[None].astype(np.float32)
