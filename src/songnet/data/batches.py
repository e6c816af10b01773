"""From shards to batches: random crops for training, whole clips for prediction."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from songnet.data.resident import ResidentClips
from songnet.data.shards import MelShards
from songnet.errors import SongNetError
from songnet.features.metadata import metadata_fields

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Subset:
    """Tracks of one subset."""

    track_ids: Ids  # (n,)
    labels: Ids  # (n,) positions of genres
    metadata: NDArray[np.float32]  # (n, fields), nan where unknown
    # (n, D) what a teacher says of the clips, nan where unknown
    targets: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @classmethod
    def of(
        cls, tracks: pd.DataFrame, genres: list[str], targets: pd.DataFrame | None = None
    ) -> "Subset":
        """Rows of tracks.parquet, index track_id, in their order.

        Args:
            tracks: of the subset.
            genres: of all subsets, in alphabetical order.
            targets: what a teacher says of each track, index track_id; None for no teacher.
        """
        labels = np.searchsorted(genres, tracks["genre"])
        found = cls(tracks.index.to_numpy(), labels, metadata_fields(tracks))
        if targets is None:
            return found
        return replace(found, targets=targets.loc[tracks.index].to_numpy(np.float32))


def random_crops(
    shards: MelShards,
    subset: Subset,
    frames: int,
    batch_size: int,
    rng: np.random.Generator,
    resident: ResidentClips | None = None,
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Yield shuffled batches of one random crop a clip.

    The last incomplete batch is left out where there are others, since batch normalisation needs
    more than a few examples.

    Args:
        shards: spectrograms.
        subset: tracks to crop.
        frames: length of the crops; a clip shorter than that is repeated.
        batch_size: crops in a batch.
        rng: order and places.
        resident: the subset's spectrograms on a device, which then cuts the same crops.

    Yields:
        Spectrograms (B, M, frames) float32 in dB, labels (B,), metadata (B, fields), targets of a
        teacher (B, D).
    """
    order = rng.permutation(len(subset.track_ids))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        if len(chosen) < batch_size and start:
            return
        track_ids = subset.track_ids[chosen]
        spare = [max(0, shards.frames(int(track_id)) - frames) for track_id in track_ids]
        firsts = np.array([rng.integers(most + 1) for most in spare])
        yield (
            resident.crops(chosen, firsts, frames)
            if resident
            else _crops(shards, track_ids, firsts, frames),
            torch.from_numpy(subset.labels[chosen]),
            torch.from_numpy(subset.metadata[chosen]),
            torch.from_numpy(subset.targets[chosen] if len(subset.targets) else subset.targets),
        )


def _crops(shards: MelShards, track_ids: Ids, firsts: Ids, frames: int) -> Tensor:
    """Crops (B, M, frames) float32; a clip shorter than that is repeated."""
    batch = np.empty((len(track_ids), shards.bands, frames), np.float16)
    for row, (track_id, first) in enumerate(zip(track_ids, firsts, strict=True)):
        mel = shards.mel(int(track_id), int(first), int(first) + frames)
        batch[row] = np.tile(mel, -(-frames // mel.shape[1]))[:, :frames]
    return torch.from_numpy(batch).float()


def whole_clips(
    shards: MelShards, track_ids: Ids, batch_size: int, seconds: float | None = None
) -> Iterator[tuple[Ids, Tensor]]:
    """Yield batches of clips of equal length, or of their beginnings.

    Args:
        shards: spectrograms.
        track_ids: (n,).
        batch_size: most clips in a batch.
        seconds: how much of each clip; None for all.

    Yields:
        Places in ``track_ids`` (B,) and spectrograms (B, M, T) float32 in dB.
    """
    lengths = np.array([shards.frames(int(i)) for i in track_ids])
    if seconds is not None:
        lengths = np.minimum(lengths, round(seconds * shards.frames_per_second))
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        for places in np.array_split(same, -(-len(same) // batch_size)):
            mels = [shards.mel(int(track_ids[i]), 0, int(length)) for i in places]
            yield places, torch.from_numpy(np.stack(mels)).float()


def band_statistics(
    shards: MelShards, track_ids: Ids, normalise: Callable[[Tensor], Tensor] = lambda mel: mel
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each mel band over the tracks, (M, 1) in dB.

    Args:
        shards: spectrograms.
        track_ids: (n,).
        normalise: of the network, (1, M, T) -> (1, M, T).

    The standard deviation is 1 dB at least: a whisper in a band that is nearly always silent must
    not drown all others.
    """
    count = 0
    total = np.zeros(shards.bands)
    squares = np.zeros(shards.bands)
    for track_id in track_ids:
        stored = torch.from_numpy(shards.mel(int(track_id)).astype(np.float32))
        mel = normalise(stored[None])[0].double().numpy()
        count += mel.shape[1]
        total += mel.sum(axis=1)
        squares += (mel**2).sum(axis=1)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1.0))
    return torch.from_numpy(mean).float()[:, None], torch.from_numpy(std).float()[:, None]


def check_lengths(shards: MelShards, least: int) -> None:
    """Fail where a clip of any subset is shorter than a step of the network.

    Raises:
        SongNetError: names the track.
    """
    track_id = min(shards.track_ids, key=shards.frames)
    if shards.frames(track_id) < least:
        raise SongNetError(
            f"config key clips.min_seconds: track {track_id} has {shards.frames(track_id)} frames, "
            f"fewer than the network's step of {least}"
        )
