"""Tuning, chroma and what is derived from it, equal to librosa's (0.11).

Sources: ``librosa.estimate_tuning``, ``librosa.feature.chroma_stft``, ``chroma_cqt``,
``chroma_cens`` (M. Müller and S. Ewert, ISMIR 2011) and ``tonnetz`` (C. Harte et al., 2006).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NOTES = 12
PITCHES = 150.0, 4000.0  # Hz: where tones are looked for
FAINT = 0.1  # less than this part of the frame's maximum is no tone
TUNINGS = np.linspace(-0.5, 0.5, 101)  # semitones
QUANTISATION = np.array([0.05, 0.1, 0.2, 0.4])
SMOOTHING = 41  # frames
Array = NDArray[np.float32]


def estimate_tuning(spectra: Array, sample_rate: int) -> float:
    """Deviation from A440 that most tones have, in semitones.

    Args:
        spectra: (frames, n_fft // 2 + 1), magnitudes or powers.
        sample_rate: Hz.
    """
    bin_width = sample_rate / (2 * (spectra.shape[1] - 1))
    first, stop = (int(np.ceil(frequency / bin_width)) for frequency in PITCHES)
    below, at, above = (spectra[:, first + i : stop + i] for i in (-1, 0, 1))
    loud = np.float32(FAINT) * spectra.max(axis=1, keepdims=True)
    rows, columns = np.nonzero((at > below) & (at >= above) & (at > loud))
    if not len(rows):
        return 0.0
    # A parabola through the peak and its neighbours.
    below, at, above = (part[rows, columns] for part in (below, at, above))
    curvature, slope = above + below - 2 * at, (above - below) / 2
    inside = np.abs(slope) < np.abs(curvature)
    shift = np.where(inside, -slope / np.where(inside, curvature, 1), 0)
    height = at + slope * shift / 2
    pitch = ((first + columns + shift) * bin_width)[height >= np.median(height)]
    semitones = NOTES * np.log2(pitch.astype(np.float32) / np.float32(440 / 16))
    deviation = (semitones + np.float32(0.5)) % 1 - np.float32(0.5)
    counts, _ = np.histogram(deviation, TUNINGS)
    return float(TUNINGS[counts.argmax()])


def chroma_stft(power: Array, sample_rate: int) -> Array:
    """Chroma of power spectra: (frames, n_fft // 2 + 1) -> (12, frames), 1 at each maximum."""
    filters = _chroma_filters(estimate_tuning(power, sample_rate), power.shape[1], sample_rate)
    return normalised(filters @ power.T, np.inf)


@lru_cache(maxsize=128)
def _chroma_filters(tuning: float, bins: int, sample_rate: int) -> Array:
    """Weight of each frequency for each note from C: (12, bins)."""
    n_fft = 2 * (bins - 1)
    frequencies = np.arange(1, n_fft) * sample_rate / n_fft
    notes = NOTES * np.log2(frequencies / (440 * 2 ** (tuning / NOTES) / 16))
    notes = np.concatenate([[notes[0] - 1.5 * NOTES], notes])
    widths = np.append(np.maximum(np.diff(notes), 1), 1)
    distances = np.subtract.outer(np.arange(NOTES), notes)
    distances = (distances + NOTES / 2) % NOTES - NOTES / 2
    weights = np.exp(-0.5 * (2 * distances / widths) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    weights *= np.exp(-0.5 * ((notes / NOTES - 5) / 2) ** 2)  # the fifth octave tells most
    return np.roll(weights, -3, axis=0)[:, :bins].astype(np.float32)  # from C, not from A


def fold_octaves(constant_q: Array) -> Array:
    """(12 x octaves, frames) from C -> (12, frames)."""
    return constant_q.reshape(-1, NOTES, constant_q.shape[1]).sum(axis=0)


def chroma_cens(chroma: Array) -> Array:
    """Energy-normalised statistics of chroma: quantised, smoothed; (12, frames) both."""
    chroma = normalised(chroma, 1)
    quantised = (chroma > QUANTISATION[:, None, None]).mean(axis=0)
    window = np.hanning(SMOOTHING + 2)
    smooth = [np.convolve(row, window / window.sum()) for row in quantised]
    edge = len(window) // 2
    return normalised(np.array(smooth, np.float32)[:, edge:-edge], 2)


def tonnetz(chroma: Array) -> Array:
    """Tonal centroids, fifths, minor and major thirds: (12, frames) -> (6, frames)."""
    steps = np.repeat([7 / 6, 3 / 2, 2 / 3], 2)
    angles = np.outer(steps, np.arange(NOTES)) - np.tile([0.5, 0], 3)[:, None]
    radii = np.array([1, 1, 1, 1, 0.5, 0.5])[:, None]
    return (radii * np.cos(np.pi * angles)).astype(np.float32) @ normalised(chroma, 1)


def normalised(values: Array, order: float) -> Array:
    """Columns of unit norm; those that are zero stay so."""
    norms = np.linalg.norm(values, order, axis=0)
    unit: Array = values / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit
