"""Shards of mel-spectrograms, memory-mapped."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class MelShards:
    """Read access to all shards of a data set, memory-mapped: memory does not grow with tracks.

    Args:
        folder: ``results/{dataset}/mel``.
        index: ``mel/index.parquet``: index track_id; file, row, frames, seconds.
    """

    def __init__(self, folder: str | Path, index: pd.DataFrame) -> None:
        names = sorted(index["file"].unique())
        # Plain views of the maps: numpy's own class for them takes long to slice.
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
        """Open the shards that lie beside an index, ``mel/index.parquet``."""
        return cls(Path(index).parent, pd.read_parquet(index))

    @property
    def track_ids(self) -> list[int]:
        """All tracks."""
        return list(self._places)

    def frames(self, track_id: int) -> int:
        """Number of frames with sound."""
        return int(self._places[track_id][2])

    def mel(self, track_id: int, start: int = 0, stop: int | None = None) -> NDArray[np.float16]:
        """Frames ``start`` to ``stop`` of one track, (bands, frames) float16 in dB."""
        shard, row, frames = self._places[track_id]
        stop = frames if stop is None else min(stop, frames)
        part: NDArray[np.float16] = self._maps[shard][row, :, start:stop]
        return part
