"""Batches from spectrogram shards: random crops for training, whole clips for prediction."""

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
    labels: Ids  # (n,) genre indices
    metadata: NDArray[np.float32]  # (n, fields), nan where unknown
    # (n, D) embeddings by a teacher, nan where unknown
    targets: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @classmethod
    def of(
        cls, tracks: pd.DataFrame, genres: list[str], targets: pd.DataFrame | None = None
    ) -> "Subset":
        """Build a subset from rows of tracks.parquet, keeping their order.

        Args:
            tracks: rows of the subset, index track_id.
            genres: genres of all subsets, in alphabetical order.
            targets: a teacher's embedding of each track, index track_id; None for no teacher.
        """
        labels = np.searchsorted(genres, tracks["genre"])
        subset = cls(tracks.index.to_numpy(), labels, metadata_fields(tracks))
        if targets is None:
            return subset
        return replace(subset, targets=targets.loc[tracks.index].to_numpy(np.float32))


def random_crops(
    shards: MelShards,
    subset: Subset,
    frames: int,
    batch_size: int,
    rng: np.random.Generator,
    resident: ResidentClips | None = None,
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Yield shuffled batches with one random crop per clip.

    An incomplete last batch is dropped unless it is the only one, since batch normalisation needs
    more than a few examples.

    Args:
        shards: spectrograms.
        subset: tracks to crop.
        frames: length of the crops; shorter clips are repeated.
        batch_size: crops per batch.
        rng: draws the order of the clips and the positions of the crops.
        resident: the subset's spectrograms on a device, which cuts the same crops there.

    Yields:
        Spectrograms (B, M, frames) float32 in dB, labels (B,), metadata (B, fields) and teacher
        embeddings (B, D).
    """
    order = rng.permutation(len(subset.track_ids))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        if len(chosen) < batch_size and start:
            return
        track_ids = subset.track_ids[chosen]
        spare = [max(0, shards.frames(int(track_id)) - frames) for track_id in track_ids]
        firsts = np.array([rng.integers(last + 1) for last in spare])
        yield (
            resident.crops(chosen, firsts, frames)
            if resident
            else _crops(shards, track_ids, firsts, frames),
            torch.from_numpy(subset.labels[chosen]),
            torch.from_numpy(subset.metadata[chosen]),
            torch.from_numpy(subset.targets[chosen] if len(subset.targets) else subset.targets),
        )


def _crops(shards: MelShards, track_ids: Ids, firsts: Ids, frames: int) -> Tensor:
    """Cut crops (B, M, frames) float32; shorter clips are repeated."""
    batch = np.empty((len(track_ids), shards.bands, frames), np.float16)
    for row, (track_id, first) in enumerate(zip(track_ids, firsts, strict=True)):
        batch[row] = repeated(shards.mel(int(track_id), int(first), int(first) + frames), frames)
    return torch.from_numpy(batch).float()


def repeated(mel: NDArray[np.float16], frames: int) -> NDArray[np.float16]:
    """Cut or repeat a spectrogram (M, T) to a number of frames."""
    return np.tile(mel, -(-frames // mel.shape[1]))[:, :frames]


def whole_clips(
    shards: MelShards, track_ids: Ids, batch_size: int, seconds: float | None = None
) -> Iterator[tuple[Ids, Tensor]]:
    """Yield batches of clips of equal length.

    Args:
        shards: spectrograms.
        track_ids: (n,) tracks.
        batch_size: maximum number of clips in a batch.
        seconds: length of the excerpt from the start of each clip; None for whole clips.

    Yields:
        Positions in ``track_ids`` (B,) and spectrograms (B, M, T) float32 in dB.
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
    """Compute the mean and standard deviation of each mel band over tracks.

    Args:
        shards: spectrograms.
        track_ids: (n,) tracks.
        normalise: the network's loudness normalisation, (1, M, T) -> (1, M, T).

    Returns:
        Mean and standard deviation, (M, 1) each in dB. The standard deviation is at least 1 dB, so
        that faint noise in a band that is nearly always silent does not dominate the input.
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


def check_lengths(shards: MelShards, min_frames: int) -> None:
    """Check that no clip is shorter than a step of the network.

    Raises:
        SongNetError: a clip is too short; the message names its track.
    """
    track_id = min(shards.track_ids, key=shards.frames)
    if shards.frames(track_id) < min_frames:
        raise SongNetError(
            f"config key clips.min_seconds: track {track_id} has {shards.frames(track_id)} frames, "
            f"fewer than the network's step of {min_frames}"
        )
