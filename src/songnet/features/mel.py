"""Mel-spectrograms in dB, equal to librosa's but faster to import and compute.

Source: ``librosa.feature.melspectrogram`` and ``librosa.power_to_db`` (0.11) with their defaults,
except ``top_db=None`` and a reference of 1, since levels relative to the clip's maximum would look
ahead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import rfft

from songnet.features.spectrogram import Array, Precision, Spectrogram

FLOOR_POWER = 1e-10  # amin of power_to_db
BLOCK = 64  # frames per block, whose spectra fit into the L2 cache
NEIGHBOURS = 16  # mel bands computed by one matrix product


@dataclass(frozen=True)
class MelSpectrogram(Spectrogram):
    """Log-power mel-spectrogram in dB with a floor of -100 dB."""

    floor: ClassVar[float] = -100.0
    sample_rate: Annotated[int, Ge(8_000), Le(48_000)] = 22_050
    n_fft: Annotated[int, Ge(256), Le(8_192)] = 2_048
    hop_length: Annotated[int, Ge(64), Le(8_192)] = 512
    n_mels: Annotated[int, Ge(29), Le(256)] = 128  # the causal C-RNN needs at least 29

    @property
    def bands(self) -> int:
        """Number of mel bands."""
        return self.n_mels

    def whole_frames(self, samples: Array, precision: Precision = np.float64) -> Array:
        """Compute every whole frame: (samples,) -> (n_mels, frames) in dB."""
        frames = 1 + (len(samples) - self.n_fft) // self.hop_length
        power = np.empty((frames, self.n_mels), np.float32)
        transform = short_time_spectra if precision is np.float64 else rough_spectra
        for block, spectra in transform(samples, self.n_fft, self.hop_length):
            squares = spectra.real**2 + spectra.imag**2
            mel_bands(squares, self.sample_rate, self.n_mels, out=power[block])
        return self.level(power).T

    def level(self, power: Array) -> Array:
        """Convert power of any shape to dB."""
        return decibels(power)


def short_time_spectra(
    samples: Array, n_fft: int, hop_length: int
) -> Iterator[tuple[slice, NDArray[np.complex64]]]:
    """Compute the Fourier transforms of all whole frames, as ``librosa.stft(center=False)`` does.

    Args:
        samples: (samples,), at least ``n_fft``.
        n_fft: frame length in samples, with a Hann window.
        hop_length: samples from one frame to the next.

    Yields:
        A slice of BLOCK frames or fewer, and their spectra (frames, n_fft // 2 + 1).
    """
    frames = sliding_window_view(samples, n_fft)[::hop_length]
    # In float64, because rounding noise of float32 would mask quiet bands next to loud ones.
    window = hann(n_fft)
    windowed = np.empty((BLOCK, n_fft))
    spectra = np.empty((BLOCK, n_fft // 2 + 1), np.complex128)
    for start in range(0, len(frames), BLOCK):
        block = slice(start, start + BLOCK)
        count = len(frames[block])
        np.multiply(frames[block], window, out=windowed[:count])
        np.fft.rfft(windowed[:count], out=spectra[:count])
        yield block, spectra[:count].astype(np.complex64)


def rough_spectra(
    samples: Array, n_fft: int, hop_length: int
) -> Iterator[tuple[slice, NDArray[np.complex64]]]:
    """Compute the same as `short_time_spectra` in single precision, in half the time."""
    frames = sliding_window_view(samples, n_fft)[::hop_length]
    window = hann(n_fft).astype(np.float32)
    for start in range(0, len(frames), BLOCK):
        block = slice(start, start + BLOCK)
        yield block, rfft(frames[block] * window, overwrite_x=True)


def mel_bands(power: Array, sample_rate: int, n_mels: int, out: Array | None = None) -> Array:
    """Sum power spectra over the mel filters.

    Args:
        power: (frames, n_fft // 2 + 1).
        sample_rate: sample rate in Hz.
        n_mels: number of bands.
        out: (frames, n_mels) array for the result; None for a new one.

    Returns:
        (frames, n_mels).
    """
    if out is None:
        out = np.empty((len(power), n_mels), np.float32)
    n_fft = 2 * (power.shape[1] - 1)
    for bands, bins, filters in _narrow_filters(sample_rate, n_fft, n_mels):
        np.matmul(power[:, bins], filters, out=out[:, bands])
    return out


def decibels(power: Array) -> Array:
    """Return ``10 log10(power)``, at least -100 dB."""
    # numpy vectorises the natural logarithm, but not the decimal one.
    scale = np.float32(10 / np.log(10))
    result: Array = scale * np.log(np.maximum(power, FLOOR_POWER))
    return result


@cache
def hann(size: int) -> NDArray[np.float64]:
    """Return the periodic Hann window, as ``scipy.signal.get_window('hann', size)`` does."""
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return window


@cache
def mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> Array:
    """Return triangular filters of unit area on Slaney's scale, as ``librosa.filters.mel`` does.

    Returns:
        (n_mels, n_fft // 2 + 1) float32.
    """
    edges = _mel_frequencies(n_mels + 2, sample_rate / 2)
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    widths = np.diff(edges)[:, None]
    ramps = edges[:, None] - bins[None, :]
    triangles = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


@cache
def _narrow_filters(sample_rate: int, n_fft: int, n_mels: int) -> list[tuple[slice, slice, Array]]:
    """Split the filters into groups of neighbouring bands, since 90 % of the matrix is zero.

    Returns:
        For each group its bands, the bins that they cover, and the filters (bins, bands).
    """
    filters = mel_filters(sample_rate, n_fft, n_mels)
    narrow = []
    for first in range(0, n_mels, NEIGHBOURS):
        bands = slice(first, first + NEIGHBOURS)
        covered = np.flatnonzero(filters[bands].any(axis=0))
        bins = slice(covered[0], covered[-1] + 1) if len(covered) else slice(0, 1)
        narrow.append((bands, bins, np.ascontiguousarray(filters[bands, bins].T)))
    return narrow


def _mel_frequencies(count: int, top: float) -> NDArray[np.float64]:
    """Return frequencies equally spaced in mel from 0 to ``top`` Hz, as librosa.mel_frequencies.

    Source: M. Slaney, Auditory Toolbox (1998): linear up to 1 kHz, logarithmic above.
    """
    linear, step = 200 / 3, np.log(6.4) / 27
    knee = 1000 / linear
    mel = np.linspace(0, knee + np.log(top / 1000) / step, count)
    return np.where(mel < knee, mel * linear, 1000 * np.exp(step * (mel - knee)))
