"""The interface of all clip sources.

Every stage that reads clips uses it, so only the sources know archives, member names and file
extensions.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from songnet.errors import SongNetError, UnusableClipError
from songnet.features.audio import (
    Clip,
    Samples,
    check_length,
    clip_samples,
    is_silent,
    resample,
)
from songnet.features.excerpt import middle
from songnet.features.spectrogram import Spectrogram

# Spectrogram of a clip (bands, frames) in dB, and the clip's columns for the index.
Found = tuple[NDArray[np.float32], dict[str, Any]]


class Spectrograms(NamedTuple):
    """Spectrograms of several clips, computed one at a time."""

    read: Callable[[int], Found]  # reads one track; raises UnusableClipError
    shape: tuple[int, ...]  # (bands, frames) of the longest clip


class ClipSource(ABC):
    """The clips of a data set.

    Args:
        paths: files that hold the clips.
    """

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths

    @abstractmethod
    def track_ids(self) -> set[int]:
        """Return the ids of the tracks that have a clip.

        Raises:
            SongNetError: a file that holds the clips is missing or invalid.
        """

    def problems(self) -> dict[int, str]:
        """Return the tracks that are known to be unusable before decoding, with the reason."""
        return {}

    def file_name(self, track_id: int) -> str:
        """Return the display name of a track's file; empty where tracks have no files."""
        return ""

    @abstractmethod
    def spectrograms(
        self,
        track_ids: list[int],
        spectrogram: Spectrogram,
        min_seconds: float,
        clip_seconds: float,
    ) -> AbstractContextManager[Spectrograms]:
        """Open the spectrograms of some tracks.

        Args:
            track_ids: tracks to read.
            spectrogram: kind of spectrogram to compute, if the source has audio.
            min_seconds: shorter clips are unusable.
            clip_seconds: longer clips are cut.
        """


class AudioSource(ClipSource):
    """Base class of sources with audio; subclasses open the files.

    A file longer than a clip is cut to its beginning or, if ``from_middle`` is true, to its middle,
    because a whole song may begin with silence or applause.
    """

    from_middle = False

    @abstractmethod
    def opened(self) -> AbstractContextManager[Callable[[int], BinaryIO]]:
        """Yield a function that opens a track's file or raises UnusableClipError."""

    @contextmanager
    def spectrograms(
        self,
        track_ids: list[int],
        spectrogram: Spectrogram,
        min_seconds: float,
        clip_seconds: float,
    ) -> Iterator[Spectrograms]:
        """Decode clips and compute their spectrograms."""
        with self.opened() as open_file:

            def read(track_id: int) -> Found:
                with open_file(track_id) as file:
                    digest = hashlib.file_digest(file, "sha1").hexdigest()  # type: ignore[arg-type]
                    facts: dict[str, Any] = {"sha1": digest}
                    samples, clip = self._decoded(
                        file, spectrogram.sample_rate, clip_seconds, min_seconds
                    )
                used = clip.samples[: int(clip_seconds * clip.sample_rate)]
                if is_silent(used.min(), used.max()):
                    raise UnusableClipError("silent: nothing above -80 dB")
                facts |= {"seconds": round(min(clip.seconds, clip_seconds), 3)}
                facts |= {"lost_seconds": round(clip.lost_seconds, 3)}
                facts |= {"sample_rate": clip.sample_rate, "channels": clip.channels}
                return spectrogram.offline(samples), facts

            yield Spectrograms(read, (spectrogram.bands, spectrogram.frames(clip_seconds)))

    @contextmanager
    def files(self) -> Iterator[Callable[[int], BinaryIO]]:
        """Yield a function that opens the file of a track in the index.

        Raises:
            SongNetError: the file is no longer usable.
        """
        with self.opened() as open_file:
            yield lambda track_id: self._recheck(track_id, lambda: open_file(track_id))

    @contextmanager
    def samples(
        self, sample_rate: int, clip_seconds: float, stop: float | None = None
    ) -> Iterator[Callable[[int], Samples]]:
        """Yield a function that decodes the clip of a track in the index.

        Args:
            sample_rate: sample rate of the result in Hz.
            clip_seconds: longer files are cut to this length.
            stop: seconds of the clip to decode from its beginning; None for the whole clip.

        Raises:
            SongNetError: the clip is no longer usable.
        """
        stop = clip_seconds if stop is None else min(stop, clip_seconds)
        decoded_seconds = clip_seconds if self.from_middle else stop
        with self.opened() as open_file:

            def read(track_id: int) -> Samples:
                with open_file(track_id) as file:
                    samples, _ = self._decoded(file, sample_rate, decoded_seconds)
                    return samples[: int(stop * sample_rate)]

            yield lambda track_id: self._recheck(track_id, lambda: read(track_id))

    def _decoded(
        self, file: BinaryIO, sample_rate: int, clip_seconds: float, min_seconds: float = 0.0
    ) -> tuple[Samples, Clip]:
        """Decode a clip; the result is that of `clip_samples`."""
        if not self.from_middle:
            return clip_samples(file, sample_rate, clip_seconds, min_seconds)
        clip = middle(file, clip_seconds).clip
        check_length(clip.seconds, min_seconds, clip.lost_seconds)
        return resample(clip, sample_rate)[: int(clip_seconds * sample_rate)], clip

    def _recheck(self, track_id: int, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except UnusableClipError as error:
            raise SongNetError(
                f"{', '.join(self.paths)}: {self.file_name(track_id) or f'track {track_id}'} is "
                f"no longer usable ({error}); `--forcerun select_tracks` checks all clips again"
            ) from None
