"""Training of the C-RNN: random crops, best epoch by validation, resumed to the bit after a kill.

All random numbers of an epoch follow from (seed, epoch), so a checkpoint needs no generator state.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import nll_loss
from tqdm import tqdm

from songnet.crnn import CRNN, CRNNConfig, clip_log_probabilities, load
from songnet.errors import SongNetError
from songnet.files import replacing
from songnet.shards import MelShards

Ids = NDArray[np.int64]
Row = dict[str, float]


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained."""

    epochs: int = 40
    patience: int = 10  # epochs without a better validation accuracy
    batch_size: int = 32
    crop_seconds: float = 10.0  # random part of each clip, new in every epoch
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2


@dataclass(frozen=True)
class Part:
    """Tracks of one part: numbers (n,) and genre positions (n,)."""

    track_ids: Ids
    labels: Ids


def device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train_crnn(
    shards: MelShards,
    train: Part,
    validation: Part,
    model_config: CRNNConfig,
    config: TrainingConfig,
    seed: int,
    checkpoint: str | Path,
    on_epoch: Callable[[list[Row]], None] = lambda history: None,
    progress: str = "training",
) -> tuple[CRNN, list[Row]]:
    """Train a network and return it as it was after its best epoch.

    Args:
        shards: spectrograms.
        train: tracks to learn from.
        validation: tracks that choose the epoch.
        model_config: of the network.
        config: of the training.
        seed: of the weights, crops and dropout. The same seed, thread count and machine give the
            same weights.
        checkpoint: file that holds the state after each epoch; found there, it is resumed. The
            caller names it after everything that shapes the result, and deletes it.
        on_epoch: called with the history so far after each epoch.
        progress: label of the progress bar.

    Returns:
        The network and its history, one row an epoch: epoch, seconds, learning_rate, train_loss,
        validation_loss and validation_accuracy.
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    model = CRNN(model_config).to(device())
    crop = max(round(config.crop_seconds * shards.frames_per_second), model.frames_per_step)
    _check_lengths(shards, train, validation, model.frames_per_step)
    model.mean[:, 0], model.std[:, 0] = band_statistics(shards, train.track_ids)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    state = _Checkpoint.resume(checkpoint, model, optimizer)
    bar = tqdm(
        range(len(state.history) + 1, config.epochs + 1),
        desc=progress, initial=len(state.history), total=config.epochs, unit="epoch", disable=None,
    )  # fmt: skip
    for epoch in bar:
        if state.epochs_without_gain() >= config.patience:
            break
        start = time.perf_counter()
        train_loss = _train_epoch(model, optimizer, shards, train, crop, config, seed, epoch)
        logs = predict_clips(model, shards, validation.track_ids)
        accuracy = float(np.mean(logs.argmax(axis=1) == validation.labels))
        row = {
            "epoch": epoch,
            "seconds": round(time.perf_counter() - start, 3),
            "learning_rate": config.learning_rate,
            "train_loss": train_loss,
            "validation_loss": float(-np.mean(logs[np.arange(len(logs)), validation.labels])),
            "validation_accuracy": accuracy,
        }
        state.add(row, model, optimizer)
        on_epoch(state.history)
        bar.set_postfix(loss=f"{train_loss:.3f}", validation=f"{accuracy:.3f}")
    model.load_state_dict(state.best)
    return model.eval(), state.history


def _train_epoch(
    model: CRNN,
    optimizer: torch.optim.Optimizer,
    shards: MelShards,
    train: Part,
    crop: int,
    config: TrainingConfig,
    seed: int,
    epoch: int,
) -> float:
    """One pass over random crops of all training clips; the mean loss."""
    rng = np.random.default_rng([seed, epoch])
    torch.manual_seed(int(rng.integers(2**62)))
    model.train()
    losses = []
    for mel, labels in random_crops(shards, train, crop, config.batch_size, rng):
        loss = nll_loss(clip_log_probabilities(model(mel.to(device()))), labels.to(device()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return float(np.mean(losses))


def random_crops(
    shards: MelShards, part: Part, crop: int, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield shuffled batches of one random crop a clip: (B, M, crop) float32 and (B,) labels.

    A clip shorter than the crop is repeated. The last incomplete batch is left out where there
    are others, since batch normalisation needs more than a few examples.
    """
    order = rng.permutation(len(part.track_ids))
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        if len(chosen) < batch_size and start:
            return
        batch = np.empty((len(chosen), shards.n_mels, crop), np.float32)
        for row, i in enumerate(chosen):
            track_id = int(part.track_ids[i])
            frames = shards.frames(track_id)
            first = int(rng.integers(max(0, frames - crop) + 1))
            mel = shards.mel(track_id, first, first + crop)
            repeats = -(-crop // mel.shape[1])
            batch[row] = np.tile(mel, repeats)[:, :crop]
        yield torch.from_numpy(batch), torch.from_numpy(part.labels[chosen])


@torch.no_grad()
def predict_clips(
    model: CRNN, shards: MelShards, track_ids: Ids, batch_size: int = 16
) -> NDArray[np.float32]:
    """Log-probabilities of whole clips, (n, genres). Clips of equal length share a batch."""
    model.eval()
    out = np.empty((len(track_ids), model.config.n_genres), np.float32)
    lengths = np.array([shards.frames(int(i)) for i in track_ids])
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        for batch in np.array_split(same, -(-len(same) // batch_size)):
            mels = np.stack([shards.mel(int(track_ids[i])) for i in batch]).astype(np.float32)
            steps = model(torch.from_numpy(mels).to(device()))
            out[batch] = clip_log_probabilities(steps).cpu().numpy()
    return out


class Predictor:
    """Applies saved networks to the same tracks.

    Args:
        data: path of mel/index.parquet, then of the shards beside it.
        track_ids: tracks to predict.
        threads: of torch.
    """

    def __init__(self, data: list[str], track_ids: pd.Index, threads: int) -> None:
        torch.set_num_threads(threads)
        self._shards = MelShards(Path(data[0]).parent, pd.read_parquet(data[0]))
        self._track_ids = track_ids.to_numpy()

    def predict(self, path: str) -> tuple[list[str], NDArray[np.str_], NDArray[np.float32]]:
        """Genres, verdicts (n,) and probabilities (n, genres) of one saved network."""
        model, genres = load(path)
        probabilities = np.exp(predict_clips(model.to(device()), self._shards, self._track_ids))
        return genres, np.array(genres)[probabilities.argmax(axis=1)], probabilities


def band_statistics(shards: MelShards, track_ids: Ids) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each mel band over the tracks, (M,) in dB."""
    count = 0
    total = np.zeros(shards.n_mels)
    squares = np.zeros(shards.n_mels)
    for track_id in track_ids:
        mel = shards.mel(int(track_id)).astype(np.float64)
        count += mel.shape[1]
        total += mel.sum(axis=1)
        squares += (mel**2).sum(axis=1)
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1e-6))
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)


def _check_lengths(shards: MelShards, train: Part, validation: Part, least: int) -> None:
    for track_id in (*train.track_ids, *validation.track_ids):
        if shards.frames(int(track_id)) < least:
            raise SongNetError(
                f"config key clips.min_seconds: track {track_id} has "
                f"{shards.frames(int(track_id))} frames, fewer than the network's step of {least}"
            )


@dataclass
class _Checkpoint:
    """State after the last complete epoch."""

    path: Path
    history: list[Row]
    best: dict[str, Tensor]

    @classmethod
    def resume(
        cls, path: str | Path, model: CRNN, optimizer: torch.optim.Optimizer
    ) -> "_Checkpoint":
        path = Path(path)
        if not path.exists():
            return cls(path, [], {})
        saved = torch.load(path, map_location=device(), weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        return cls(path, saved["history"], saved["best"])

    def add(self, row: Row, model: CRNN, optimizer: torch.optim.Optimizer) -> None:
        self.history.append(row)
        if self.epochs_without_gain() == 0:
            self.best = {name: value.clone() for name, value in model.state_dict().items()}
        state: dict[str, Any] = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "history": self.history,
            "best": self.best,
        }
        with replacing(self.path) as temporary:
            torch.save(state, temporary)

    def epochs_without_gain(self) -> int:
        """Epochs since the best validation accuracy (the first of equals)."""
        accuracies = [row["validation_accuracy"] for row in self.history]
        return len(accuracies) - 1 - int(np.argmax(accuracies)) if accuracies else 0
