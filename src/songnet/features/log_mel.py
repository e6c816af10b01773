"""Mel-spectrograms with a soft floor, which compresses quiet sounds instead of clipping them.

Source: the front end of musicnn (J. Pons and X. Serra, ISMIR 2019), ``log10(1 + 10^4 x)`` of power
``x`` in 96 bands at 16 kHz. In dB it is ``10 log10(x + 10^-4) = 10 log10(1 + 10^4 x) - 40``.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le

from songnet.features.mel import MelSpectrogram
from songnet.features.spectrogram import Array

SOFT_FLOOR = 1e-4  # power


@dataclass(frozen=True)
class LogMelSpectrogram(MelSpectrogram):
    """Log-power mel-spectrogram in dB with a soft floor at -40 dB."""

    floor: ClassVar[float] = -40.0
    sample_rate: Annotated[int, Ge(8_000), Le(48_000)] = 16_000
    n_fft: Annotated[int, Ge(256), Le(8_192)] = 512
    hop_length: Annotated[int, Ge(64), Le(8_192)] = 256
    n_mels: Annotated[int, Ge(29), Le(256)] = 96

    def level(self, power: Array) -> Array:
        """Convert power of any shape to dB."""
        level: Array = 10 * np.log10(power + np.float32(SOFT_FLOOR))
        return level
