"""Interface and registry of the spectrograms that networks read.

To add a kind, write a subclass and add an entry to SPECTROGRAMS. Values are in dB, so that networks
can normalise loudness. Subclasses compute whole frames; this module pads, cuts and streams.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from songnet.io import load_class

Array = NDArray[np.float32]
Precision = type[np.float32] | type[np.float64]
# Names in config.yaml and in weight files, and their classes.
SPECTROGRAMS = {
    "mel": "songnet.features.mel.MelSpectrogram",
    "log_mel": "songnet.features.log_mel.LogMelSpectrogram",
}
MAX_FFT = 2**16  # maximum window length in samples, more than a second


@dataclass(frozen=True)
class Spectrogram(ABC):
    """Base class: centred frames of `n_fft` samples, one every `hop_length`.

    Raises:
        ValueError: a field is not a positive integer, ``hop_length`` exceeds ``n_fft``, or
            ``n_fft`` exceeds MAX_FFT.
    """

    floor: ClassVar[float]  # level of silence in dB
    sample_rate: int  # Hz
    n_fft: int  # frame length in samples
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
        """Number of frequency bands."""

    @abstractmethod
    def whole_frames(self, samples: Array, precision: Precision = np.float64) -> Array:
        """Compute every whole frame, without padding.

        Args:
            samples: (samples,), at least ``n_fft``.
            precision: floating-point type of the transform. Rounding noise of float32 is about
                100 dB below the loudest band.

        Returns:
            (bands, 1 + (samples - n_fft) // hop_length) in dB.
        """

    @property
    def frames_per_second(self) -> float:
        """Frame rate in Hz."""
        return self.sample_rate / self.hop_length

    def frames(self, seconds: float) -> int:
        """Return the number of frames of a clip of this length."""
        return 1 + int(seconds * self.sample_rate) // self.hop_length

    def offline(self, samples: Array, precision: Precision = np.float64) -> Array:
        """Compute the spectrogram of a clip, zero-padded at both ends.

        Args:
            samples: (samples,) at ``sample_rate``.
            precision: as for `whole_frames`.

        Returns:
            (bands, 1 + samples // hop_length) in dB.
        """
        return self.whole_frames(np.pad(samples, self.n_fft // 2), precision)

    def stream(self) -> "SpectrogramStream":
        """Start a streaming spectrogram, for audio that arrives in chunks."""
        return SpectrogramStream(self)


class SpectrogramStream:
    """Computes the frames of `Spectrogram.offline`, each as soon as its last sample arrives."""

    def __init__(self, spectrogram: Spectrogram) -> None:
        self._spectrogram = spectrogram
        self._half = spectrogram.n_fft // 2
        self._pieces = [np.zeros(self._half, np.float32)]  # samples of unfinished frames
        self._waiting = self._half

    def push(self, samples: Array) -> Array:
        """Return the frames that new samples complete: (n,) -> (bands, frames) in dB."""
        self._pieces.append(samples)
        self._waiting += len(samples)
        if self._waiting < self._spectrogram.n_fft:
            return np.empty((self._spectrogram.bands, 0), np.float32)
        waiting = np.concatenate(self._pieces)
        frames = self._spectrogram.whole_frames(waiting)
        waiting = waiting[frames.shape[1] * self._spectrogram.hop_length :]
        # A view would keep the whole chunk in memory.
        self._pieces, self._waiting = [waiting.copy()], len(waiting)
        return frames

    def finish(self) -> Array:
        """Return the frames that extend beyond the end, zero-padded."""
        return self.push(np.zeros(self._half, np.float32))


def make_spectrogram(config: dict[str, Any]) -> Spectrogram:
    """Build a spectrogram from the output of `describe`.

    Args:
        config: ``kind``, a name of SPECTROGRAMS, and every field of that class. No field has a
            default here, since a network must get the values that it was trained with.

    Raises:
        ValueError: the kind is unknown, or fields are missing, unknown or invalid.
    """
    values = dict(config)
    kind = values.pop("kind", None)
    if kind not in SPECTROGRAMS:
        raise ValueError(
            f"{kind!r} is not a kind of spectrogram (known: {', '.join(SPECTROGRAMS)})"
        )
    cls = load_class(SPECTROGRAMS[kind])
    if differing := {field.name for field in fields(cls)} ^ values.keys():
        raise ValueError(
            f"{kind} has different keys in this version: {', '.join(sorted(differing))}"
        )
    return cls(**values)


def describe(spectrogram: Spectrogram) -> dict[str, Any]:
    """Return ``kind`` and all fields, for config files and weight files."""
    path = f"{type(spectrogram).__module__}.{type(spectrogram).__name__}"
    kind = next(name for name, known in SPECTROGRAMS.items() if known == path)
    return {"kind": kind, **asdict(spectrogram)}
