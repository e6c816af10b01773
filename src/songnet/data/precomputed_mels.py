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

# 0 stands for 80 dB below the clip's own maximum and 255 for the maximum.
MEL_RANGE_DB = 80.0
# FMA's whole clips; archives of other clips say how long theirs are.
CLIP_SECONDS = 30.0
FEWEST_BANDS = 29  # as the config key mel.n_mels
SAME_RATE = 0.02  # by which frame rates of archives may differ


class PrecomputedMels(ClipSource):
    """Spectrograms in ``mels-*.npz``, each with ``track_id`` and ``mel``; see `read_mels`.

    Args:
        paths: of the archives.
    """

    def track_ids(self) -> set[int]:
        """Track numbers, as `mel_ids` finds them."""
        return mel_ids(self.paths)

    @contextmanager
    def spectrograms(
        self,
        track_ids: list[int],
        spectrogram: Spectrogram,
        min_seconds: float,
        clip_seconds: float,
    ) -> Iterator[Spectrograms]:
        """Spectrograms as they are, without their padding; nothing is computed or cut."""
        wanted = np.array(track_ids, np.int64)
        mels = read_mels(self.paths, wanted)
        lengths = mel_lengths(self.paths, wanted)

        def read(track_id: int) -> Found:
            frames, seconds = lengths[track_id]
            mel = mels.pop(track_id)[:, :frames]  # or it would be held twice
            check_length(seconds, min_seconds)
            facts = {"sha1": hashlib.sha1(mel.tobytes()).hexdigest(), "seconds": seconds}
            facts |= {"lost_seconds": 0.0, "sample_rate": 0, "channels": 0}
            return mel_decibels(mel), facts

        shape = np.max([mel.shape for mel in mels.values()], axis=0) if mels else (0, 0)
        yield Spectrograms(read, tuple(shape))


def mel_ids(archives: list[str]) -> set[int]:
    """Track numbers in a set of ``mels-*.npz``.

    Raises:
        SongNetError: spectrograms, their numbers or lengths are not as `read_mels` and
            `mel_lengths` want them, the bands are too few, archives differ in bands or frames a
            second, or a track is there twice.
    """
    bands = 0
    first_rate = 0.0
    found: set[int] = set()
    for path in archives:
        track_ids = _track_ids(path)
        if track_ids.size == 0:  # an exporter's last archive may hold nothing
            continue
        shape, _, dtype = _header(path, "mel")
        if dtype != np.uint8 or len(shape) != 3 or 0 in shape[1:] or shape[:1] != track_ids.shape:
            raise SongNetError(
                f"{path}: mel is {dtype} of shape {shape}, not uint8 of shape "
                f"({track_ids.size}, bands, frames), a row for each track_id"
            )
        for track_id in track_ids.tolist():
            if track_id in found:
                raise SongNetError(f"{path}: has the track {track_id}, which was there before")
            found.add(track_id)
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
    return found


def read_mels(archives: list[str], wanted: NDArray[np.int64]) -> dict[int, NDArray[np.uint8]]:
    """Read the spectrograms of some tracks; no others are held in memory.

    Args:
        archives: paths of ``mels-*.npz``, each with ``track_id`` (n,) of whole numbers and
            ``mel`` (n, mels, frames) uint8.
        wanted: track numbers.

    Returns:
        For each track (mels, frames), whose unit is that of `mel_decibels`.
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
    """Precomputed spectrogram (mels, frames) in dB, 0 at the clip's own maximum."""
    share: NDArray[np.float32] = np.divide(mel, 255, dtype=np.float32)
    return (share - 1) * MEL_RANGE_DB


def _mel_rows(path: str) -> Iterator[NDArray[np.uint8]]:
    (_, *shape), fortran_order, _ = _header(path, "mel")
    if fortran_order:  # all rows are interleaved
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
    """Frames with sound and seconds of the clips behind some spectrograms.

    All rows of an archive have as many frames; those of its longest clip are all sound, shorter
    clips stand at their beginning.

    Args:
        archives: as for `read_mels`; their optional array ``seconds`` is a number or (n,).
        wanted: track numbers.

    Raises:
        SongNetError: ``seconds`` has another shape, or values that are not lengths.
    """
    found: dict[int, tuple[int, float]] = {}
    for path in archives:
        track_ids = _track_ids(path)
        rows = np.isin(track_ids, wanted)
        if not rows.any():
            continue
        seconds = _seconds(path)
        shape, _, _ = _header(path, "mel")
        frames = np.maximum(1, np.rint(shape[2] * seconds / seconds.max())).astype(int)
        lengths = zip(frames[rows].tolist(), seconds[rows].tolist(), strict=True)
        found |= zip(track_ids[rows].tolist(), lengths, strict=True)
    return found


def _seconds(path: str) -> NDArray[np.float64]:
    """Length of each clip of an archive, (n,)."""
    shape = _track_ids(path).shape
    seconds = _array(path, "seconds", CLIP_SECONDS)
    if (
        seconds.shape not in [(), shape]
        or seconds.dtype.kind not in "iuf"
        or not np.all(np.isfinite(seconds) & (seconds > 0))
    ):
        raise SongNetError(f"{path}: expected seconds to be one length, or one for each track_id")
    return np.broadcast_to(seconds.astype(np.float64), shape)


def _track_ids(path: str) -> NDArray[np.integer[Any]]:
    track_ids = _array(path, "track_id")
    if track_ids.dtype.kind not in "iu":
        raise SongNetError(f"{path}: track_id is {track_ids.dtype}, not whole numbers")
    return track_ids


Header = tuple[tuple[int, ...], bool, np.dtype[Any]]


def _header(path: str, name: str) -> Header:
    """Shape, Fortran's order or not, and type of an array, without its values."""
    with open_zip(path) as archive:
        try:
            if is_twice(archive, f"{name}.npy"):
                raise SongNetError(f"{path}: has two arrays {name}")
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
