"""Archives in FMA's layout: clips inside a zip, or mel-spectrograms inside NPZ files."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from songnet.errors import SongNetError


def member_name(subset: str, track_id: int) -> str:
    """FMA's name of a clip inside ``fma_<subset>.zip``, e.g. ``fma_small/000/000002.mp3``."""
    return f"fma_{subset}/{track_id // 1000:03d}/{track_id:06d}.mp3"


def clip_ids(archive: str | Path) -> set[int]:
    """Track numbers of the mp3 members of an audio archive."""
    with open_zip(archive) as file:
        stems = [Path(name).stem for name in file.namelist() if name.endswith(".mp3")]
    return {int(stem) for stem in stems if stem.isdigit()}


@contextmanager
def open_zip(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file; what is wrong with it becomes one line that names it."""
    try:
        with zipfile.ZipFile(path) as file:
            yield file
    except FileNotFoundError:
        raise SongNetError(f"{path}: no such file") from None
    except (zipfile.BadZipFile, EOFError) as error:
        raise SongNetError(f"{path}: not a sound zip archive: {error}") from None


def read_member(archive: zipfile.ZipFile, name: str) -> io.BytesIO:
    """Read one member whole into memory."""
    try:
        return io.BytesIO(archive.read(name))
    except KeyError:
        raise SongNetError(f"{archive.filename}: has no {name}") from None


# --- spectrograms without audio -----------------------------------------------------------------

# 0 stands for 80 dB below the clip's own maximum and 255 for the maximum.
MEL_RANGE_DB = 80.0


def mel_ids(archives: list[str]) -> set[int]:
    """Track numbers in a set of ``mels-*.npz``."""
    return {int(i) for path in archives for i in _array(path, "track_id")}


def read_mels(archives: list[str], wanted: NDArray[np.int64]) -> dict[int, NDArray[np.float32]]:
    """Read the spectrograms of some tracks.

    Args:
        archives: paths of ``mels-*.npz``, each with ``track_id`` (n,) and ``mel``
            (n, mels, frames) uint8.
        wanted: track numbers.

    Returns:
        For each track (mels, frames) in dB, 0 at the clip's own maximum.
    """
    mels: dict[int, NDArray[np.float32]] = {}
    for path in archives:
        rows = np.flatnonzero(np.isin(_array(path, "track_id"), wanted))
        if not len(rows):
            continue
        decibels = _array(path, "mel")[rows].astype(np.float32) / 255 * MEL_RANGE_DB - MEL_RANGE_DB
        mels |= zip(_array(path, "track_id")[rows].tolist(), decibels, strict=True)
    return mels


def _array(path: str, name: str) -> NDArray[np.generic]:
    try:
        with np.load(path, allow_pickle=False) as file:
            array: NDArray[np.generic] = file[name]
            return array
    except KeyError:
        raise SongNetError(f"{path}: has no array {name}") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise SongNetError(f"{path}: not a sound NPZ file: {error}") from None
