"""Trained networks on whole clips."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from songnet.data.batches import Ids, whole_clips
from songnet.data.shards import MelShards
from songnet.features.metadata import metadata_fields
from songnet.models.base import Network, Outputs, load
from songnet.training.devices import device, to_device

Probabilities = NDArray[np.float32]
LogProbabilities = NDArray[np.float32]
BATCH_SIZE = 16  # clips at a time


def predict_clips(
    network: Network,
    shards: MelShards,
    track_ids: Ids,
    metadata: NDArray[np.float32],
    seconds: float | None = None,
) -> LogProbabilities:
    """Log-probabilities of clips.

    Args:
        network: in any mode; is left in evaluation mode, on the device.
        shards: spectrograms.
        track_ids: (n,).
        metadata: (n, fields).
        seconds: length of the excerpt from the beginning of each clip; None for all.

    Returns:
        (n, genres).
    """
    out = np.empty((len(track_ids), network.config.n_genres), np.float32)
    for places, outputs in clip_outputs(network, shards, track_ids, metadata, seconds):
        out[places] = outputs.clip_logits[:, -1].cpu().numpy()
    return out


def embed_clips(
    network: Network,
    shards: MelShards,
    track_ids: Ids,
    metadata: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Embeddings of whole clips, (n, H) of length 1; arguments as in `predict_clips`."""
    places, found = [], []
    for at, outputs in clip_outputs(network, shards, track_ids, metadata):
        places.append(at)
        found.append(outputs.embeddings[:, -1].cpu().numpy())
    out: NDArray[np.float32] = np.concatenate(found)[np.argsort(np.concatenate(places))]
    return out / np.linalg.norm(out, axis=1, keepdims=True)


@torch.no_grad()
def clip_outputs(
    network: Network,
    shards: MelShards,
    track_ids: Ids,
    metadata: NDArray[np.float32],
    seconds: float | None = None,
) -> Iterator[tuple[Ids, Outputs]]:
    """Yield places in ``track_ids`` (B,) and outputs, batch by batch; as `predict_clips`."""
    network.to(device()).eval()
    for places, mel in whole_clips(shards, track_ids, BATCH_SIZE, seconds):
        known = torch.from_numpy(metadata[places])
        yield places, network(to_device(mel), to_device(known))


class Predictor:
    """Applies saved networks to the same tracks.

    Args:
        data: path of mel/index.parquet, then of the shards beside it.
        tracks: tracks to predict, rows of tracks.parquet.
        threads: of torch.
    """

    def __init__(self, data: list[str], tracks: pd.DataFrame, threads: int) -> None:
        torch.set_num_threads(threads)
        self._shards = MelShards.read(data[0])
        self._track_ids = tracks.index.to_numpy()
        self._metadata = metadata_fields(tracks)
        # Of one network, one prediction is asked for each number of seconds.
        self._load = lru_cache(maxsize=1)(load)

    def beginnings(self, seconds: list[float]) -> list[float]:
        """Those of ascending lengths that cut at least one track, and the first that cuts none."""
        frames = max(self._shards.frames(track_id) for track_id in self._track_ids)
        longest = frames / self._shards.frames_per_second
        return [s for s, shorter in zip(seconds, [0, *seconds], strict=False) if shorter < longest]

    def has_step(self, path: str, seconds: float) -> bool:
        """Whether so short a beginning is enough for one step of a saved network."""
        frames = round(seconds * self._shards.frames_per_second)
        return frames >= self._load(path).network.frames_per_step

    def predict(
        self, path: str, seconds: float | None = None
    ) -> tuple[list[str], NDArray[np.str_], Probabilities]:
        """Genres, predicted genres (n,) and probabilities (n, genres) of one saved network.

        Args:
            path: file of weights.
            seconds: length of the excerpt from the beginning of each clip; None for all.
        """
        network, genres, _ = self._load(path)
        logs = predict_clips(network, self._shards, self._track_ids, self._metadata, seconds)
        return genres, np.array(genres)[logs.argmax(axis=1)], np.exp(logs)
