"""Read shards of mel-spectrograms by memory mapping."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class MelShards:
    """Read access to all shards of a data set; memory does not grow with the number of tracks.

    Args:
        folder: path of ``results/{dataset}/mel``.
        index: contents of ``mel/index.parquet``: index track_id, columns file, row, frames and
            seconds.
    """

    def __init__(self, folder: str | Path, index: pd.DataFrame) -> None:
        names = sorted(index["file"].unique())
        # Plain views, because np.memmap objects are slow to slice.
        self._maps = [
            np.load(Path(folder) / name, mmap_mode="r").view(np.ndarray) for name in names
        ]
        shard = index["file"].map(dict(zip(names, range(len(names)), strict=True)))
        self._places = dict(
            zip(index.index, zip(shard, index["row"], index["frames"], strict=True), strict=True)
        )
        self.bands: int = self._maps[0].shape[1]
        self.frames_per_second = float((index["frames"] / index["seconds"]).median())

    @classmethod
    def read(cls, index: str | Path) -> "MelShards":
        """Open the shards next to an index, ``mel/index.parquet``."""
        return cls(Path(index).parent, pd.read_parquet(index))

    @property
    def track_ids(self) -> list[int]:
        """All track ids."""
        return list(self._places)

    def frames(self, track_id: int) -> int:
        """Return the number of frames of a clip, without padding."""
        return int(self._places[track_id][2])

    def mel(self, track_id: int, start: int = 0, stop: int | None = None) -> NDArray[np.float16]:
        """Return frames ``start`` to ``stop`` of one track, (bands, frames) float16 in dB."""
        shard, row, frames = self._places[track_id]
        stop = frames if stop is None else min(stop, frames)
        part: NDArray[np.float16] = self._maps[shard][row, :, start:stop]
        return part
