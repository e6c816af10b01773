"""Spectrograms in GPU memory, so that crops are cut there without waiting for the CPU."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from songnet.data.shards import MelShards

Ids = NDArray[np.int64]


class ResidentClips:
    """Spectrograms of some tracks on a device.

    Args:
        shards: spectrograms.
        track_ids: (n,) tracks to copy.
        device: device that holds them.
    """

    def __init__(self, shards: MelShards, track_ids: Ids, device: torch.device) -> None:
        frames = [shards.frames(int(track_id)) for track_id in track_ids]
        self._frames = torch.tensor(frames, device=device)
        shape = (len(track_ids), max(frames), shards.bands)
        self._mels = torch.zeros(shape, dtype=torch.float16, device=device)
        for row, track_id in enumerate(track_ids):
            mel = np.ascontiguousarray(shards.mel(int(track_id)).T)
            self._mels[row, : len(mel)] = torch.from_numpy(mel).to(device)

    def crops(self, rows: Ids, starts: Ids, frames: int) -> Tensor:
        """Cut crops; shorter clips are repeated.

        Args:
            rows: positions in ``track_ids``, (B,).
            starts: first frame of each crop, (B,).
            frames: length of the crops.

        Returns:
            (B, M, frames) float32 in dB.
        """
        device = self._mels.device
        row, start = (torch.from_numpy(values).to(device)[:, None] for values in (rows, starts))
        at = (start + torch.arange(frames, device=device)) % self._frames[row]
        return self._mels[row, at].transpose(1, 2).float()

    @staticmethod
    def size(shards: MelShards, track_ids: Ids) -> int:
        """Return the memory that the spectrograms take, in bytes."""
        longest = max(shards.frames(int(track_id)) for track_id in track_ids)
        return len(track_ids) * longest * shards.bands * 2
