"""Magnitudes of the constant-Q transform, equal to librosa's, an octave at a time.

Source: ``librosa.cqt`` (0.11) with 84 bins and its defaults: C. Schörkhuber and A. Klapuri,
"Constant-Q transform toolbox for music processing" (SMC 2010). The octaves are heard from the
highest down, each at half the rate of the one before, so that one kernel serves all. The kernel is
short: a product with the samples of a frame is faster than a Fourier transform of it, and gives
the same.
"""

from functools import lru_cache

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import fft

from songnet.features.mel import hann

SAMPLE_RATE = 22_050  # Hz
HOP_LENGTH = 512
BINS = 12  # an octave
OCTAVES = 7
C1 = 440 * 2 ** (-45 / 12)  # Hz
SPARSITY = 0.01  # librosa sets the least coefficients to zero, with this share of the magnitude
# Neighbours' distance over frequency, by which each filter is as long as its resolution needs.
BANDWIDTH = (2 ** (2 / BINS) - 1) / (2 ** (2 / BINS) + 1)
Array = NDArray[np.float32]


def constant_q(samples: Array, tuning: float) -> Array:
    """Magnitudes of 84 semitones from C1.

    Args:
        samples: (samples,) mono at SAMPLE_RATE.
        tuning: from A440, semitones.

    Returns:
        (84, 1 + samples // HOP_LENGTH).
    """
    kernel = _kernel(tuning)
    frames = 1 + len(samples) // HOP_LENGTH
    result = np.empty((OCTAVES, BINS, frames), np.float32)
    for octave in range(OCTAVES):
        if octave:
            half = soxr.resample(samples, 2, 1, quality="HQ")
            half.resize((len(samples) + 1) // 2, refcheck=False)  # shorter, or longer with zeros
            samples = half * np.float32(np.sqrt(2))
        padded = np.pad(samples, len(kernel) // 2)
        windows = sliding_window_view(padded, len(kernel))[:: HOP_LENGTH >> octave][:frames]
        parts = np.ascontiguousarray(windows) @ kernel
        result[OCTAVES - 1 - octave] = np.abs(parts.view(np.complex64)).T
    return result.reshape(OCTAVES * BINS, frames)


@lru_cache(maxsize=128)
def _kernel(tuning: float) -> Array:
    """Filters of the highest octave: (n_fft, 2 * BINS), real and imaginary parts in turn."""
    notes = np.arange((OCTAVES - 1) * BINS, OCTAVES * BINS)
    frequencies = C1 * 2 ** ((notes + tuning) / BINS)
    lengths = SAMPLE_RATE / (BANDWIDTH * frequencies)
    n_fft = 2 ** int(np.ceil(np.log2(lengths.max())))
    filters = np.zeros((BINS, n_fft), np.complex64)
    for row, frequency, length in zip(filters, frequencies, lengths, strict=True):
        time = np.arange(-length // 2, length // 2)
        wave = np.exp(2j * np.pi * frequency / SAMPLE_RATE * time)
        wave *= hann(len(time))
        start = (n_fft - len(time)) // 2
        row[start : start + len(time)] = wave / np.abs(wave).sum()
    spectra = fft(filters * (lengths[:, None] / n_fft))[:, : n_fft // 2 + 1]
    magnitudes = np.abs(spectra)
    ranked = np.sort(magnitudes, axis=1)
    kept = np.cumsum(ranked / magnitudes.sum(axis=1, keepdims=True), axis=1) >= SPARSITY
    least = np.take_along_axis(ranked, kept.argmax(axis=1)[:, None], axis=1)
    spectra = np.where(magnitudes >= least, spectra, 0) / np.sqrt(lengths)[:, None]
    # Back to time: the product with a frame equals that of the frame's spectrum with `spectra`.
    kernel = fft(spectra, n_fft).T.astype(np.complex64)
    return np.ascontiguousarray(kernel).view(np.float32)
