"""Clips in an archive with FMA's layout, ``fma_<subset>.zip``."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from songnet.data.archives import open_zip, read_member
from songnet.data.clips import AudioSource
from songnet.errors import SongNetError


def member_name(subset: str, track_id: int) -> str:
    """Return a clip's name inside ``fma_<subset>.zip``, e.g. ``fma_small/000/000002.mp3``."""
    return f"fma_{subset}/{track_id // 1000:03d}/{track_id:06d}.mp3"


class FmaZip(AudioSource):
    """Clips in an archive with FMA's layout; its file name gives the subset.

    Args:
        paths: path of the archive, as a list of one.
    """

    def __init__(self, paths: list[str]) -> None:
        super().__init__(paths)
        (self._path,) = paths
        self._subset = Path(self._path).stem.removeprefix("fma_")

    def track_ids(self) -> set[int]:
        """Return the ids of the clips; members with other names are ignored.

        Raises:
            SongNetError: no member has a name of FMA's form.
        """
        with open_zip(self._path) as file:
            names = set(file.namelist())
        stems = {Path(name).stem for name in names if name.endswith(".mp3")}
        numbers = {int(stem) for stem in stems if re.fullmatch(r"[0-9]{1,18}", stem)}
        numbers = {number for number in numbers if member_name(self._subset, number) in names}
        if not numbers:
            example = member_name(self._subset, 2)
            raise SongNetError(f"{self._path}: contains no clip with a name like {example}")
        return numbers

    def file_name(self, track_id: int) -> str:
        """Return the name of the clip in the archive."""
        return member_name(self._subset, track_id)

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], BinaryIO]]:
        """Yield a function that reads a track's file into memory."""
        with open_zip(self._path) as archive:
            yield lambda track_id: read_member(archive, member_name(self._subset, track_id))
