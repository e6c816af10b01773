"""Precomputed mel-spectrograms without audio, in archives ``mels-*.npz``."""

import hashlib
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from songnet.data.archives import NOT_READABLE, is_twice, open_zip
from songnet.data.clips import ClipSource, Found, Spectrograms
from songnet.errors import SongNetError
from songnet.features.audio import check_length
from songnet.features.spectrogram import Spectrogram

# The value 255 is the clip's maximum, 0 is 80 dB below it.
MEL_RANGE_DB = 80.0
# Length of FMA's clips; archives of other clips contain their lengths.
CLIP_SECONDS = 30.0
FEWEST_BANDS = 29  # minimum of the config key spectrogram.n_mels
SAME_RATE = 0.02  # relative tolerance between the frame rates of archives


class PrecomputedMels(ClipSource):
    """Spectrograms in ``mels-*.npz``, each with ``track_id`` and ``mel``; see `read_mels`.

    Args:
        paths: paths of the archives.
    """

    def track_ids(self) -> set[int]:
        """Return the track ids, as `mel_ids` does."""
        return mel_ids(self.paths)

    @contextmanager
    def spectrograms(
        self,
        track_ids: list[int],
        spectrogram: Spectrogram,
        min_seconds: float,
        clip_seconds: float,
    ) -> Iterator[Spectrograms]:
        """Open the stored spectrograms without their padding; nothing is computed or cut."""
        tracks = np.array(track_ids, np.int64)
        mels = read_mels(self.paths, tracks)
        lengths = mel_lengths(self.paths, tracks)

        def read(track_id: int) -> Found:
            frames, seconds = lengths[track_id]
            mel = mels.pop(track_id)[:, :frames]  # frees the memory of tracks already read
            check_length(seconds, min_seconds)
            facts = {"sha1": hashlib.sha1(mel.tobytes()).hexdigest(), "seconds": seconds}
            facts |= {"lost_seconds": 0.0, "sample_rate": 0, "channels": 0}
            return mel_decibels(mel), facts

        shape = np.max([mel.shape for mel in mels.values()], axis=0) if mels else (0, 0)
        yield Spectrograms(read, tuple(shape))


def mel_ids(archives: list[str]) -> set[int]:
    """Return the track ids in a set of ``mels-*.npz``.

    Raises:
        SongNetError: the arrays do not have the form that `read_mels` and `mel_lengths` expect,
            there are too few bands, archives differ in bands or frame rate, or a track occurs
            twice.
    """
    bands = 0
    first_rate = 0.0
    seen: set[int] = set()
    for path in archives:
        track_ids = _track_ids(path)
        if track_ids.size == 0:  # the last archive of an export may be empty
            continue
        shape, _, dtype = _header(path, "mel")
        if dtype != np.uint8 or len(shape) != 3 or 0 in shape[1:] or shape[:1] != track_ids.shape:
            raise SongNetError(
                f"{path}: mel is {dtype} of shape {shape}, not uint8 of shape "
                f"({track_ids.size}, bands, frames), a row for each track_id"
            )
        for track_id in track_ids.tolist():
            if track_id in seen:
                raise SongNetError(f"{path}: contains track {track_id} a second time")
            seen.add(track_id)
        if shape[1] < FEWEST_BANDS:
            raise SongNetError(f"{path}: mel has {shape[1]} bands, fewer than {FEWEST_BANDS}")
        bands = bands or shape[1]
        if shape[1] != bands:
            raise SongNetError(f"{path}: mel has {shape[1]} bands, {archives[0]} has {bands}")
        rate = shape[2] / _seconds(path).max()
        first_rate = first_rate or rate
        if abs(rate / first_rate - 1) > SAME_RATE:
            raise SongNetError(
                f"{path}: mel has {rate:.3g} frames a second, {archives[0]} has {first_rate:.3g}"
            )
    return seen


def read_mels(archives: list[str], wanted: NDArray[np.int64]) -> dict[int, NDArray[np.uint8]]:
    """Read the spectrograms of some tracks, without holding the others in memory.

    Args:
        archives: paths of ``mels-*.npz``, each with the integers ``track_id`` (n,) and ``mel``
            (n, mels, frames) uint8.
        wanted: track ids.

    Returns:
        Spectrogram (mels, frames) of each track; `mel_decibels` converts it to dB.
    """
    mels: dict[int, NDArray[np.uint8]] = {}
    for path in archives:
        track_ids = _track_ids(path)
        chosen = np.isin(track_ids, wanted)
        if chosen.any():
            rows = zip(track_ids.tolist(), chosen, _mel_rows(path), strict=True)
            mels |= {track_id: mel for track_id, is_chosen, mel in rows if is_chosen}
    return mels


def mel_decibels(mel: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert a precomputed spectrogram (mels, frames) to dB relative to the clip's maximum."""
    share: NDArray[np.float32] = np.divide(mel, 255, dtype=np.float32)
    return (share - 1) * MEL_RANGE_DB


def _mel_rows(path: str) -> Iterator[NDArray[np.uint8]]:
    (_, *shape), fortran_order, _ = _header(path, "mel")
    if fortran_order:  # rows are interleaved, so they cannot be read one by one
        yield from _array(path, "mel")
        return
    with open_zip(path) as archive:
        try:
            with archive.open("mel.npy") as file:
                _read_header(file)
                while row := file.read(math.prod(shape)):
                    yield np.frombuffer(row, np.uint8).reshape(shape)
        except (ValueError, *NOT_READABLE) as error:
            raise SongNetError(f"{path}: not a valid NPZ file: {error}") from None


def mel_lengths(archives: list[str], wanted: NDArray[np.int64]) -> dict[int, tuple[int, float]]:
    """Return the number of frames and the length in seconds of some clips, without padding.

    The longest clip of an archive fills all frames; shorter clips are padded at the end.

    Args:
        archives: as for `read_mels`; their optional array ``seconds`` is a number or (n,).
        wanted: track ids.

    Raises:
        SongNetError: ``seconds`` has the wrong shape, or values that are not lengths.
    """
    clips: dict[int, tuple[int, float]] = {}
    for path in archives:
        track_ids = _track_ids(path)
        rows = np.isin(track_ids, wanted)
        if not rows.any():
            continue
        seconds = _seconds(path)
        shape, _, _ = _header(path, "mel")
        frames = np.maximum(1, np.rint(shape[2] * seconds / seconds.max())).astype(int)
        lengths = zip(frames[rows].tolist(), seconds[rows].tolist(), strict=True)
        clips |= zip(track_ids[rows].tolist(), lengths, strict=True)
    return clips


def _seconds(path: str) -> NDArray[np.float64]:
    """Read the length of each clip of an archive, (n,)."""
    shape = _track_ids(path).shape
    seconds = _array(path, "seconds", CLIP_SECONDS)
    if (
        seconds.shape not in [(), shape]
        or seconds.dtype.kind not in "iuf"
        or not np.all(np.isfinite(seconds) & (seconds > 0))
    ):
        raise SongNetError(f"{path}: expected seconds to be a length, or one for each track_id")
    return np.broadcast_to(seconds.astype(np.float64), shape)


def _track_ids(path: str) -> NDArray[np.integer[Any]]:
    track_ids = _array(path, "track_id")
    if track_ids.dtype.kind not in "iu":
        raise SongNetError(f"{path}: track_id is {track_ids.dtype}, not integer")
    return track_ids


Header = tuple[tuple[int, ...], bool, np.dtype[Any]]


def _header(path: str, name: str) -> Header:
    """Read the shape of an array, whether it is in Fortran order, and its dtype."""
    with open_zip(path) as archive:
        try:
            if is_twice(archive, f"{name}.npy"):
                raise SongNetError(f"{path}: contains the array {name} twice")
            with archive.open(f"{name}.npy") as file:
                return _read_header(file)
        except KeyError:
            raise SongNetError(f"{path}: has no array {name}") from None
        except (ValueError, *NOT_READABLE) as error:
            raise SongNetError(f"{path}: not a valid NPZ file: {error}") from None


def _read_header(file: IO[bytes]) -> Header:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _array(path: str, name: str, default: float | None = None) -> NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if default is not None and name not in file:
                return np.array(default)
            array: NDArray[Any] = file[name]
            return array
    except KeyError:
        raise SongNetError(f"{path}: has no array {name}") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise SongNetError(f"{path}: not a valid NPZ file: {error}") from None
