"""Spectrograms that networks read: the interface of all kinds, and their names.

Another kind is one file with a subclass, and one entry in SPECTROGRAMS. Values are in dB, so that
networks can normalise loudness; a subclass computes whole frames, and this file places them.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from songnet.io import load_class

Array = NDArray[np.float32]
Precision = type[np.float32] | type[np.float64]
# Names as they stand in config.yaml and in files of weights, and classes.
SPECTROGRAMS = {
    "mel": "songnet.features.mel.MelSpectrogram",
    "log_mel": "songnet.features.log_mel.LogMelSpectrogram",
}
MAX_FFT = 2**16  # samples of a window: a second and more


@dataclass(frozen=True)
class Spectrogram(ABC):
    """Centred frames of `n_fft` samples, one every `hop_length`; subclasses give their defaults.

    Raises:
        ValueError: a field is not a positive integer, or windows leave out samples between them.
    """

    floor: ClassVar[float]  # dB, of silence
    sample_rate: int  # Hz
    n_fft: int  # samples of a frame
    hop_length: int  # samples from one frame to the next

    def __post_init__(self) -> None:
        values = asdict(self)
        if any(type(value) is not int or value < 1 for value in values.values()):
            raise ValueError(f"a value is not a positive integer: {values}")
        if not self.hop_length <= self.n_fft <= MAX_FFT:
            raise ValueError(f"hop_length is larger than n_fft, or n_fft than {MAX_FFT}: {values}")

    @property
    @abstractmethod
    def bands(self) -> int:
        """Frequency bands of a frame."""

    @abstractmethod
    def whole_frames(self, samples: Array, precision: Precision = np.float64) -> Array:
        """Compute every whole frame that begins inside the samples.

        Args:
            samples: (samples,), at least ``n_fft`` of them.
            precision: of the transform. In single precision its noise reaches bands 100 dB below
                the loudest.

        Returns:
            (bands, 1 + (samples - n_fft) // hop_length) in dB.
        """

    @property
    def frames_per_second(self) -> float:
        """Frame rate."""
        return self.sample_rate / self.hop_length

    def frames(self, seconds: float) -> int:
        """Frames of a clip of this length."""
        return 1 + int(seconds * self.sample_rate) // self.hop_length

    def offline(self, samples: Array, precision: Precision = np.float64) -> Array:
        """Compute the spectrogram of a clip, zero-padded at both ends.

        Args:
            samples: (samples,) at ``sample_rate``.
            precision: as `whole_frames` takes it.

        Returns:
            (bands, 1 + samples // hop_length) in dB.
        """
        return self.whole_frames(np.pad(samples, self.n_fft // 2), precision)

    def stream(self) -> "SpectrogramStream":
        """Begin a spectrogram of music that arrives in pieces."""
        return SpectrogramStream(self)


class SpectrogramStream:
    """Frames of `Spectrogram.offline`, each as soon as its last sample is there."""

    def __init__(self, spectrogram: Spectrogram) -> None:
        self._spectrogram = spectrogram
        self._half = spectrogram.n_fft // 2
        self._pieces = [np.zeros(self._half, np.float32)]  # samples of unfinished frames
        self._waiting = self._half

    def push(self, samples: Array) -> Array:
        """(n,) samples -> (bands, frames) that they complete, in dB."""
        self._pieces.append(samples)
        self._waiting += len(samples)
        if self._waiting < self._spectrogram.n_fft:
            return np.empty((self._spectrogram.bands, 0), np.float32)
        waiting = np.concatenate(self._pieces)
        found = self._spectrogram.whole_frames(waiting)
        waiting = waiting[found.shape[1] * self._spectrogram.hop_length :]
        # A copy, so that the rest of a large piece is not kept alive.
        self._pieces, self._waiting = [waiting.copy()], len(waiting)
        return found

    def finish(self) -> Array:
        """Frames that reach over the end."""
        return self.push(np.zeros(self._half, np.float32))


def make_spectrogram(config: dict[str, Any]) -> Spectrogram:
    """Build the spectrogram that `describe` has described.

    Args:
        config: ``kind``, a name of SPECTROGRAMS, and every field of that class: a default may not
            be what a network was trained with.

    Raises:
        ValueError: the kind is unknown, or fields are missing, unknown or not allowed.
    """
    values = dict(config)
    kind = values.pop("kind", None)
    if kind not in SPECTROGRAMS:
        raise ValueError(
            f"{kind!r} is not a kind of spectrogram (known: {', '.join(SPECTROGRAMS)})"
        )
    found = load_class(SPECTROGRAMS[kind])
    if differing := {field.name for field in fields(found)} ^ values.keys():
        raise ValueError(f"{kind} has other keys in this version: {', '.join(sorted(differing))}")
    return found(**values)


def describe(spectrogram: Spectrogram) -> dict[str, Any]:
    """Return ``kind`` and all fields, for config files and files of weights."""
    path = f"{type(spectrogram).__module__}.{type(spectrogram).__name__}"
    kind = next(name for name, known in SPECTROGRAMS.items() if known == path)
    return {"kind": kind, **asdict(spectrogram)}
