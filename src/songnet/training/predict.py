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
        # Whole clips and excerpts of one network follow each other.
        self._load = lru_cache(maxsize=1)(load)
        self._logits_of = lru_cache(maxsize=1)(self._clip_logits)

    def predict(self, path: str) -> tuple[list[str], NDArray[np.str_], Probabilities]:
        """Genres, predicted genres (n,) and probabilities (n, genres) of one saved network."""
        genres = self._load(path).genres
        logs = np.stack([logits[-1] for logits in self._logits_of(path)])
        return genres, np.array(genres)[logs.argmax(axis=1)], np.exp(logs)

    def predict_excerpts(
        self, path: str, seconds: list[float], rows: NDArray[np.int64]
    ) -> Iterator[tuple[float, NDArray[np.str_], Probabilities]]:
        """Yield lengths, and predictions as `predict` gives them from so much of each clip.

        Args:
            path: file of weights.
            seconds: ascending. Too short for a step, or longer than the first that cuts no track,
                they are left out.
            rows: positions of the tracks to predict, (m,).
        """
        network, genres, _ = self._load(path)
        frames = np.array([self._shards.frames(int(i)) for i in self._track_ids[rows]])
        for shorter, length in zip([0.0, *seconds], seconds, strict=False):
            if shorter * self._shards.frames_per_second >= frames.max():
                return
            longest = round(length * self._shards.frames_per_second)
            if longest < network.frames_per_step:
                continue
            if network.is_causal():  # no step depends on later ones: one pass answers for all
                steps = np.minimum(frames, longest) // network.frames_per_step
                logits = self._logits_of(path)
                logs = np.stack([logits[i][n - 1] for i, n in zip(rows, steps, strict=True)])
            else:
                logs = predict_clips(
                    network, self._shards, self._track_ids[rows], self._metadata[rows], length
                )
            yield length, np.array(genres)[logs.argmax(axis=1)], np.exp(logs)

    def _clip_logits(self, path: str) -> list[LogProbabilities]:
        """Logits of each clip at each of its steps, (steps, genres)."""
        found: dict[int, LogProbabilities] = {}
        network = self._load(path).network
        for places, outputs in clip_outputs(network, self._shards, self._track_ids, self._metadata):
            found |= dict(zip(places.tolist(), outputs.clip_logits.cpu().numpy(), strict=True))
        return [found[i] for i in range(len(found))]
