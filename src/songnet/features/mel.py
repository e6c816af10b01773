"""Mel-spectrograms in dB, equal to librosa's, without its second of start-up and dense filters.

Source: ``librosa.feature.melspectrogram`` and ``librosa.power_to_db`` (0.11) with their defaults,
except ``top_db=None`` and a reference of 1: a level relative to the clip's own maximum would look
into the future.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import rfft

FLOOR_POWER = 1e-10  # power_to_db's amin
FLOOR_DB = -100.0
BLOCK = 64  # frames a block: its spectra fit into the second-level cache
NEIGHBOURS = 16  # mel bands that are summed at once


@dataclass(frozen=True)
class MelConfig:
    """Sizes in samples and bands; ``sample_rate`` in Hz."""

    sample_rate: int = 22_050
    n_fft: int = 2_048
    hop_length: int = 512
    n_mels: int = 128

    def frames(self, seconds: float) -> int:
        """Frames of a clip of this length."""
        return 1 + int(seconds * self.sample_rate) // self.hop_length


def mel_spectrogram(samples: NDArray[np.float32], config: MelConfig) -> NDArray[np.float32]:
    """Log-power mel-spectrogram with centred, zero-padded frames.

    Args:
        samples: (samples,) at ``config.sample_rate``.
        config: sizes.

    Returns:
        (n_mels, 1 + samples // hop_length) in dB, not below -100.
    """
    return mel_frames(np.pad(samples, config.n_fft // 2), config)


def mel_frames(samples: NDArray[np.float32], config: MelConfig) -> NDArray[np.float32]:
    """Log-power mel-spectrogram of every whole frame that begins inside the samples.

    Args:
        samples: (samples,), at least ``n_fft`` of them.
        config: sizes.

    Returns:
        (n_mels, 1 + (samples - n_fft) // hop_length) in dB, not below -100.
    """
    frames = 1 + (len(samples) - config.n_fft) // config.hop_length
    power = np.empty((frames, config.n_mels), np.float32)
    for block, spectra in short_time_spectra(samples, config.n_fft, config.hop_length):
        mel_bands(spectra.real**2 + spectra.imag**2, config, out=power[block])
    return decibels(power).T


def short_time_spectra(
    samples: NDArray[np.float32], n_fft: int, hop_length: int
) -> Iterator[tuple[slice, NDArray[np.complex64]]]:
    """Fourier transforms of every whole frame that begins inside the samples, as ``librosa.stft``.

    Args:
        samples: (samples,), at least ``n_fft`` of them.
        n_fft: samples of a frame, under a Hann window.
        hop_length: samples from one frame to the next.

    Yields:
        Some frames at a time, as many as stay in the cache, and their (frames, n_fft // 2 + 1).
    """
    frames = sliding_window_view(samples, n_fft)[::hop_length]
    window = hann(n_fft)  # double: single precision's noise fills valleys, and what a bass leaves
    for start in range(0, len(frames), BLOCK):
        block = slice(start, start + BLOCK)
        yield block, rfft(frames[block] * window, overwrite_x=True).astype(np.complex64)


def mel_bands(
    power: NDArray[np.float32], config: MelConfig, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Sum power spectra over the mel filters.

    Args:
        power: (frames, n_fft // 2 + 1).
        config: sizes.
        out: (frames, n_mels), written to if given.

    Returns:
        (frames, n_mels).
    """
    if out is None:
        out = np.empty((len(power), config.n_mels), np.float32)
    for bands, bins, filters in _narrow_filters(config):
        np.matmul(power[:, bins], filters, out=out[:, bands])
    return out


def decibels(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``10 log10(power)``, not below -100 dB."""
    # numpy vectorises the natural logarithm, not that to base 10.
    scale = np.float32(10 / np.log(10))
    result: NDArray[np.float32] = scale * np.log(np.maximum(power, FLOOR_POWER))
    return result


@cache
def hann(size: int) -> NDArray[np.float64]:
    """Periodic Hann window, as ``scipy.signal.get_window('hann', size)``."""
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return window


@cache
def mel_filters(config: MelConfig) -> NDArray[np.float32]:
    """Triangular filters of unit area on Slaney's scale, as ``librosa.filters.mel``.

    Returns:
        (n_mels, n_fft // 2 + 1) float32.
    """
    edges = _mel_frequencies(config.n_mels + 2, config.sample_rate / 2)
    bins = np.fft.rfftfreq(config.n_fft, 1 / config.sample_rate)
    widths = np.diff(edges)[:, None]
    ramps = edges[:, None] - bins[None, :]
    triangles = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


@cache
def _narrow_filters(config: MelConfig) -> list[tuple[slice, slice, NDArray[np.float32]]]:
    """Neighbouring bands, the bins that they hear, and their filters (bins, bands) there.

    Nine tenths of the whole matrix are zeros.
    """
    filters = mel_filters(config)
    narrow = []
    for first in range(0, config.n_mels, NEIGHBOURS):
        bands = slice(first, first + NEIGHBOURS)
        heard = np.flatnonzero(filters[bands].any(axis=0))
        bins = slice(heard[0], heard[-1] + 1) if len(heard) else slice(0, 1)
        narrow.append((bands, bins, np.ascontiguousarray(filters[bands, bins].T)))
    return narrow


def _mel_frequencies(count: int, top: float) -> NDArray[np.float64]:
    """Frequencies at equal distances in mel from 0 to ``top`` Hz, as ``librosa.mel_frequencies``.

    Source: M. Slaney, Auditory Toolbox (1998): linear up to 1 kHz, logarithmic above.
    """
    linear, step = 200 / 3, np.log(6.4) / 27
    knee = 1000 / linear
    mel = np.linspace(0, knee + np.log(top / 1000) / step, count)
    return np.where(mel < knee, mel * linear, 1000 * np.exp(step * (mel - knee)))
