"""From the bytes of a clip to mono samples. Training and serving share this one decoder."""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from songnet.errors import UnusableClipError

Samples = NDArray[np.float32]
# A few bytes can claim any length, rate and number of channels; these bound what is decoded.
MAX_SECONDS = 3600.0
MAX_RATE = 192_000  # Hz
MAX_CHANNELS = 8
MARGIN_SECONDS = 1.0  # decoded beyond what is kept, since resampling looks ahead
UNKNOWN_LENGTH = 2**63 - 1  # libsndfile's number of frames where a header does not tell


@dataclass(frozen=True)
class Clip:
    """Decoded audio: (samples,) or (samples, channels) float32 at the file's own rate in Hz."""

    samples: Samples
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / self.sample_rate

    @property
    def channels(self) -> int:
        """Number of channels."""
        return 1 if self.samples.ndim == 1 else self.samples.shape[1]


def decode(file: io.BytesIO, min_seconds: float = 0.0, max_seconds: float = MAX_SECONDS) -> Clip:
    """Decode a file with libsndfile.

    Args:
        file: its bytes.
        min_seconds: shorter clips are unusable.
        max_seconds: what follows is not decoded.

    Raises:
        UnusableClipError: empty, no audio, shorter than ``min_seconds``, silent to its end, not
            finite, or of a rate or number of channels that no music has.
    """
    if not file.getbuffer().nbytes:
        raise UnusableClipError("empty file")
    try:
        with sf.SoundFile(file) as sound:
            _check_header(sound)
            rate = sound.samplerate
            limit = int(max_seconds * rate)
            samples = sound.read(limit, dtype="float32")
    except (sf.LibsndfileError, RuntimeError) as error:
        raise UnusableClipError(undecodable(error)) from None
    clip = Clip(samples, rate)
    check_length(clip.seconds, min_seconds)
    # One fast pass: the energy is infinite or not a number where a sample is.
    energy = np.vdot(samples, samples)
    if not np.isfinite(energy):
        raise UnusableClipError("samples that are not finite")
    if not energy and len(samples) < limit:  # else there may be sound to come
        raise UnusableClipError("silent from start to end")
    return clip


def undecodable(error: Exception) -> str:
    """What libsndfile finds wrong; of a file without audio it says that there is no file."""
    text = str(error).rpartition(": ")[2].rstrip(".")
    return f"not decodable: {'no audio in it' if 'does not exist' in text else text}"


def check_length(seconds: float, min_seconds: float) -> None:
    """Fail where a clip is too short.

    Raises:
        UnusableClipError: says both lengths.
    """
    if seconds < min_seconds:
        raise UnusableClipError(f"too short: {seconds:.1f} s, minimum {min_seconds:g} s")


def clip_samples(
    file: io.BytesIO, sample_rate: int, seconds: float, min_seconds: float = 0.0
) -> tuple[Samples, Clip]:
    """Decode the beginning of a file to mono.

    Args:
        file: its bytes.
        sample_rate: of the samples, Hz.
        seconds: what follows is cut off.
        min_seconds: shorter clips are unusable.

    Returns:
        (samples,) float32, and the clip that was decoded for them, which may be a little longer.

    Raises:
        UnusableClipError: as in `decode`.
    """
    clip = decode(file, min_seconds, seconds + MARGIN_SECONDS)
    return to_mono(clip, sample_rate)[: int(seconds * sample_rate)], clip


def decode_blocks(path: str, seconds: float, max_seconds: float = np.inf) -> Iterator[Clip]:
    """Decode a file a part at a time, to the samples that `decode` gives.

    Args:
        path: of the file.
        seconds: of a part.
        max_seconds: of the file. Where its header tells more, nothing is decoded.

    Raises:
        sf.LibsndfileError, OSError: libsndfile cannot read it.
        UnusableClipError: samples without a header, of a rate or number of channels that no music
            has, or longer than ``max_seconds``.
    """
    try:
        # As bytes: the names of old files need not be UTF-8.
        file = _Forward(os.fsencode(path))
    except TypeError:  # soundfile goes by the ending .raw and wants to be told the rate
        raise UnusableClipError("raw samples tell no rate: pipe them to `songnet listen`") from None
    with file:
        _check_header(file)
        size, left = int(seconds * file.samplerate), max_seconds * file.samplerate
        too_long = UnusableClipError(f"longer than {max_seconds / 3600:g} hours")
        if left < file.frames < UNKNOWN_LENGTH:
            raise too_long
        while len(samples := file.read(size, dtype="float32")):
            left -= len(samples)
            if left < 0:
                raise too_long
            yield Clip(samples, file.samplerate)


def _check_header(sound: sf.SoundFile) -> None:
    rate, channels = sound.samplerate, sound.channels
    if rate > MAX_RATE or channels > MAX_CHANNELS:
        raise UnusableClipError(f"no music: {channels} channels at {rate} Hz")


class _Forward(sf.SoundFile):
    """A file that is read from start to end.

    soundfile seeks after each read of a seekable file, which makes libsndfile's MP3 decoder forget
    what the next frame needs: every block would begin with a gap.
    """

    def seekable(self) -> bool:
        return False


def to_mono(clip: Clip, sample_rate: int) -> Samples:
    """Average the channels and resample (soxr, high quality: librosa's default).

    Returns:
        (samples,) float32 at ``sample_rate`` Hz.
    """
    samples = average_channels(clip.samples)
    if clip.sample_rate != sample_rate:
        samples = soxr.resample(samples, clip.sample_rate, sample_rate, quality="HQ")
    return np.ascontiguousarray(samples, dtype=np.float32)


def average_channels(samples: Samples) -> Samples:
    """(n,) or (n, channels) -> (n,)."""
    if samples.ndim == 1:
        return samples
    # A sum of columns is ten times as fast as samples.mean(axis=1).
    return sum(samples.T[1:], start=samples.T[0]) / np.float32(samples.shape[1])
