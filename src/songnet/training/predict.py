"""Apply trained networks to clips."""

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
    """Compute the log-probabilities of clips.

    Args:
        network: network in any mode; it is moved to the device and set to evaluation mode.
        shards: spectrograms.
        track_ids: (n,) tracks.
        metadata: (n, fields).
        seconds: length of the excerpt from the start of each clip; None for whole clips.

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
    """Compute unit-length embeddings (n, H) of whole clips; arguments as in `predict_clips`."""
    positions, embeddings = [], []
    for batch, outputs in clip_outputs(network, shards, track_ids, metadata):
        positions.append(batch)
        embeddings.append(outputs.embeddings[:, -1].cpu().numpy())
    out: NDArray[np.float32] = np.concatenate(embeddings)[np.argsort(np.concatenate(positions))]
    return out / np.linalg.norm(out, axis=1, keepdims=True)


@torch.no_grad()
def clip_outputs(
    network: Network,
    shards: MelShards,
    track_ids: Ids,
    metadata: NDArray[np.float32],
    seconds: float | None = None,
) -> Iterator[tuple[Ids, Outputs]]:
    """Yield positions in ``track_ids`` (B,) and outputs; arguments as in `predict_clips`."""
    network.to(device()).eval()
    for places, mel in whole_clips(shards, track_ids, BATCH_SIZE, seconds):
        known = torch.from_numpy(metadata[places])
        yield places, network(to_device(mel), to_device(known))


class Predictor:
    """Applies saved networks to the same tracks.

    Args:
        data: path of mel/index.parquet, then of the shards next to it.
        tracks: tracks to predict, rows of tracks.parquet.
        threads: number of threads for torch.
    """

    def __init__(self, data: list[str], tracks: pd.DataFrame, threads: int) -> None:
        torch.set_num_threads(threads)
        self._shards = MelShards.read(data[0])
        self._track_ids = tracks.index.to_numpy()
        self._metadata = metadata_fields(tracks)
        # Cached, because whole clips and excerpts of one network are predicted in succession.
        self._load = lru_cache(maxsize=1)(load)
        self._logits_of = lru_cache(maxsize=1)(self._clip_logits)

    def predict(self, path: str) -> tuple[list[str], NDArray[np.str_], Probabilities]:
        """Return genres, predicted genres (n,) and probabilities (n, genres) of one network."""
        genres = self._load(path).genres
        logs = np.stack([logits[-1] for logits in self._logits_of(path)])
        return genres, np.array(genres)[logs.argmax(axis=1)], np.exp(logs)

    def predict_excerpts(
        self, path: str, seconds: list[float], rows: NDArray[np.int64]
    ) -> Iterator[tuple[float, NDArray[np.str_], Probabilities]]:
        """Predict from excerpts of increasing length from the start of each clip.

        Args:
            path: path of the weights.
            seconds: lengths in ascending order. Lengths shorter than a step are skipped, and so are
                those after the first one that covers all clips.
            rows: positions of the tracks to predict, (m,).

        Yields:
            Length in seconds, predicted genres (m,) and probabilities (m, genres).
        """
        network, genres, _ = self._load(path)
        frames = np.array([self._shards.frames(int(i)) for i in self._track_ids[rows]])
        for shorter, length in zip([0.0, *seconds], seconds, strict=False):
            if shorter * self._shards.frames_per_second >= frames.max():
                return
            longest = round(length * self._shards.frames_per_second)
            if longest < network.frames_per_step:
                continue
            if network.is_causal():  # steps do not depend on later ones, so one pass is enough
                steps = np.minimum(frames, longest) // network.frames_per_step
                logits = self._logits_of(path)
                logs = np.stack([logits[i][n - 1] for i, n in zip(rows, steps, strict=True)])
            else:
                logs = predict_clips(
                    network, self._shards, self._track_ids[rows], self._metadata[rows], length
                )
            yield length, np.array(genres)[logs.argmax(axis=1)], np.exp(logs)

    def _clip_logits(self, path: str) -> list[LogProbabilities]:
        """Compute the clip logits at every step of each clip, (steps, genres)."""
        logits: dict[int, LogProbabilities] = {}
        network = self._load(path).network
        for places, outputs in clip_outputs(network, self._shards, self._track_ids, self._metadata):
            logits |= dict(zip(places.tolist(), outputs.clip_logits.cpu().numpy(), strict=True))
        return [logits[i] for i in range(len(logits))]
