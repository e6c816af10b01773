"""Mixtures of clips with a teacher's embeddings, which `songnet.pipeline.mix` writes."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from songnet.data.batches import repeated

FIRST, SECOND = "first", "second"  # columns: the tracks that were mixed


class Mixtures:
    """The mixtures of a subset's tracks.

    Args:
        tables: paths of the tables; each one's spectrograms have the same name, ending in .npy.
        track_ids: tracks of the subset. Mixtures with any other track are left out.
    """

    def __init__(self, tables: list[str], track_ids: NDArray[np.int64]) -> None:
        self._maps = [
            np.load(Path(path).with_suffix(".npy"), mmap_mode="r").view(np.ndarray)
            for path in tables
        ]
        parts = [pd.read_parquet(path) for path in tables]
        table = pd.concat(parts, keys=range(len(parts)))
        own = table[[FIRST, SECOND]].isin(track_ids).all(axis=1)
        table = table[own]
        self._places = list(table.index)  # (map, row)
        self._embeddings = table.drop(columns=[FIRST, SECOND]).to_numpy(np.float32)

    def __len__(self) -> int:
        return len(self._places)

    def batch(self, rng: np.random.Generator, size: int, frames: int) -> tuple[Tensor, Tensor]:
        """Draw mixtures.

        Args:
            rng: draws them.
            size: number of mixtures.
            frames: number of frames of the spectrograms; shorter ones are repeated.

        Returns:
            Spectrograms (size, M, frames) float32 in dB, and embeddings (size, D).
        """
        chosen = rng.integers(len(self), size=size)
        places = (self._places[i] for i in chosen)
        mels = np.stack([repeated(self._maps[at][row], frames) for at, row in places])
        return torch.from_numpy(mels).float(), torch.from_numpy(self._embeddings[chosen])
