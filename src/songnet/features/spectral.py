"""Compute magnitude spectrograms, and librosa's slowest descriptors (0.11) in less time.

Spectrograms are (bins, frames), descriptors (n, frames).
"""

from itertools import pairwise

import librosa
import numpy as np
from numpy.typing import NDArray

from songnet.features.mel import short_time_spectra

N_FFT = 2_048
HOP_LENGTH = 512
ROLLOFF = 0.85
PITCHES = 150.0, 4000.0  # frequency range of tones in Hz
FAINT = 0.1  # peaks below this fraction of the frame's maximum are not tones
FAINT_SAMPLE = 1e-10  # samples above its negative do not count as negative
Array = NDArray[np.float32]


def magnitudes(samples: Array) -> Array:
    """Compute the magnitudes of ``librosa.stft``: (samples,) -> (N_FFT // 2 + 1, frames)."""
    result = np.empty((N_FFT // 2 + 1, 1 + len(samples) // HOP_LENGTH), np.float32)
    for block, spectra in short_time_spectra(np.pad(samples, N_FFT // 2), N_FFT, HOP_LENGTH):
        result[:, block] = np.abs(spectra).T
    return result


def estimate_tuning(spectra: Array, sample_rate: int) -> float:
    """Estimate the tuning as ``librosa.estimate_tuning`` does, 13 times as fast.

    ``librosa.piptrack`` interpolates at every bin; this function only does so at peaks.

    Args:
        spectra: magnitudes or powers, (bins, frames).
        sample_rate: sample rate in Hz.

    Returns:
        The most frequent deviation of tones from A440, in semitones.
    """
    bin_width = sample_rate / N_FFT
    first, stop = (int(np.ceil(frequency / bin_width)) for frequency in PITCHES)
    below, at, above = (spectra[first + i : stop + i] for i in (-1, 0, 1))
    loud = np.float32(FAINT) * spectra.max(axis=0)
    rows, columns = np.nonzero((at > below) & (at >= above) & (at > loud))
    if not len(rows):
        return 0.0
    # Parabolic interpolation through the peak and its neighbours.
    below, at, above = (part[rows, columns] for part in (below, at, above))
    curvature, slope = above + below - 2 * at, (above - below) / 2
    inside = np.abs(slope) < np.abs(curvature)
    shift = np.where(inside, -slope / np.where(inside, curvature, 1), 0)
    height = at + slope * shift / 2
    pitch = ((first + rows + shift) * bin_width)[height >= np.median(height)]
    return float(librosa.pitch_tuning(pitch.astype(np.float32)))


def centroid_and_bandwidth(spectra: Array, sample_rate: int) -> Array:
    """Compute the mean and standard deviation of the frequency, (2, frames) in Hz."""
    frequency = librosa.fft_frequencies(sr=sample_rate, n_fft=N_FFT)
    # In float64, because the difference of squares cancels digits.
    level, first, second = np.vander(frequency, 3, increasing=True).T @ spectra
    level = np.where(level < np.finfo(np.float32).tiny, 1, level)
    variance = second / level - (first / level) ** 2
    return np.stack([first / level, np.sqrt(np.maximum(variance, 0))]).astype(np.float32)


def rolloff(spectra: Array, sample_rate: int) -> Array:
    """Compute the frequency below which 85 % of the magnitude lies, (1, frames) in Hz."""
    sums = spectra.copy()
    for before, row in pairwise(sums):  # np.cumsum takes three times as long
        row += before
    below = (sums < np.float32(ROLLOFF) * sums[-1]).sum(axis=0, keepdims=True)
    return (below * (sample_rate / N_FFT)).astype(np.float32)


def zero_crossing_rate(samples: Array) -> Array:
    """Compute the share of samples at which the sign changes: (samples,) -> (1, frames)."""
    negative = np.pad(samples < -FAINT_SAMPLE, N_FFT // 2, mode="edge")
    crossings = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1], dtype=np.int32)])
    starts = np.arange(0, len(negative) - N_FFT + 1, HOP_LENGTH)
    counts = crossings[starts + N_FFT - 1] - crossings[starts]
    return (counts / np.float32(N_FFT))[None].astype(np.float32)
