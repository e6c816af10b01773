"""Clips in an archive of FMA's layout, ``fma_<subset>.zip``."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from songnet.data.archives import open_zip, read_member
from songnet.data.clips import AudioSource
from songnet.errors import SongNetError


def member_name(subset: str, track_id: int) -> str:
    """FMA's name of a clip inside ``fma_<subset>.zip``, e.g. ``fma_small/000/000002.mp3``."""
    return f"fma_{subset}/{track_id // 1000:03d}/{track_id:06d}.mp3"


class FmaZip(AudioSource):
    """Clips in an archive of FMA's layout, whose name says which subset it holds.

    Args:
        paths: of the one archive.
    """

    def __init__(self, paths: list[str]) -> None:
        super().__init__(paths)
        (self._path,) = paths
        self._subset = Path(self._path).stem.removeprefix("fma_")

    def track_ids(self) -> set[int]:
        """Numbers of the clips; members of other names are none.

        Raises:
            SongNetError: it has no clip of FMA's names.
        """
        with open_zip(self._path) as file:
            names = set(file.namelist())
        stems = {Path(name).stem for name in names if name.endswith(".mp3")}
        numbers = {int(stem) for stem in stems if re.fullmatch(r"[0-9]{1,18}", stem)}
        numbers = {number for number in numbers if member_name(self._subset, number) in names}
        if not numbers:
            example = member_name(self._subset, 2)
            raise SongNetError(f"{self._path}: has no clip of a name like {example}")
        return numbers

    def file_name(self, track_id: int) -> str:
        """Name of the clip in the archive."""
        return member_name(self._subset, track_id)

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], BinaryIO]]:
        """Give a function that reads the file of a track into memory."""
        with open_zip(self._path) as archive:
            yield lambda track_id: read_member(archive, member_name(self._subset, track_id))
