"""Train networks on random crops for a fixed number of epochs; resuming is bit-exact.

All random numbers of an epoch follow from (seed, epoch), so checkpoints need no generator state.
"""

import math
import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from songnet.data.batches import Subset, band_statistics, check_lengths, random_crops
from songnet.data.mixtures import Mixtures
from songnet.data.resident import ResidentClips
from songnet.data.shards import MelShards
from songnet.errors import SongNetError
from songnet.io import replacing
from songnet.models.base import Network, Outputs
from songnet.models.heads import LinearHead
from songnet.training.config import TrainingConfig
from songnet.training.devices import autocast, device, fits_on_gpu, keep_freed_memory, to_device
from songnet.training.predict import predict_clips
from songnet.training.teacher import Teacher, fit_teacher_head, teacher_for

Row = dict[str, float]
Crop = tuple[Tensor, Tensor, Tensor, Tensor]  # as from `random_crops`


def train_network(
    network: Network,
    shards: MelShards,
    train: Subset,
    validation: Subset,
    config: TrainingConfig,
    seed: int,
    checkpoint: str | Path,
    on_epoch: Callable[[list[Row]], None] = lambda history: None,
    progress: str = "training",
    mixtures: Mixtures | None = None,
) -> list[Row]:
    """Train a network.

    Args:
        network: network built after ``torch.manual_seed(seed)``.
        shards: spectrograms.
        train: training tracks.
        validation: tracks on which each epoch is measured; they do not affect the training.
        config: training parameters.
        seed: random seed of crops and dropout. The same seed, thread count and machine give the
            same weights.
        checkpoint: file with the state after each epoch; training resumes from it if it exists. The
            caller names it after everything that affects the result, and deletes it.
        on_epoch: called after each epoch with the history up to then.
        progress: label of the progress bar.
        mixtures: mixtures of training tracks, from which the network learns the teacher's
            embeddings only; None for none.

    Returns:
        The history, one row per epoch: epoch, seconds, loading (share of the time spent waiting for
        batches), learning_rate, train_loss, validation_loss and validation_accuracy.

    Raises:
        SongNetError: a clip is shorter than a step of the network, no clip of a genre has a
            teacher's embedding for its head, or the training diverges; the checkpoint of the
            previous epoch remains.
    """
    # Equivalent to `use_deterministic_algorithms`, which would import torch's compiler.
    torch.set_deterministic_debug_mode("warn")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    keep_freed_memory()
    network.to(device())
    check_lengths(shards, network.frames_per_step)
    statistics = band_statistics(shards, train.track_ids, network.normalise)
    network.set_statistics(*statistics, train.metadata)
    teacher = teacher_for(network, train.targets)
    head = None
    if teacher and config.teacher_head:
        head = fit_teacher_head(teacher, train.targets, train.labels).to(device())
    trainee = _Trainee(network, config, teacher, head)
    if fits_on_gpu(ResidentClips.size(shards, train.track_ids)):
        trainee.resident = ResidentClips(shards, train.track_ids, device())
    history = trainee.resume(checkpoint)
    bar = tqdm(
        range(len(history) + 1, config.epochs + 1),
        desc=progress, initial=len(history), total=config.epochs, unit="epoch", disable=None,
    )  # fmt: skip
    for epoch in bar:
        start = time.perf_counter()
        train_loss, waited = trainee.train_epoch(shards, train, seed, epoch, mixtures)
        if not math.isfinite(train_loss):
            raise SongNetError(
                f"models.yaml: {progress} diverged: loss is {train_loss} in epoch "
                f"{epoch}; try a lower learning_rate"
            )
        with autocast(config.mixed_precision):
            logs = predict_clips(
                trainee.predictor(), shards, validation.track_ids, validation.metadata
            )
        accuracy = float(np.mean(logs.argmax(axis=1) == validation.labels))
        seconds = time.perf_counter() - start
        row = {
            "epoch": epoch,
            "seconds": round(seconds, 3),
            "loading": round(waited / seconds, 4),
            "learning_rate": trainee.learning_rate,
            "train_loss": train_loss,
            "validation_loss": float(-np.mean(logs[np.arange(len(logs)), validation.labels])),
            "validation_accuracy": accuracy,
        }
        history.append(row)
        trainee.store(checkpoint, history)
        on_epoch(history)
        bar.set_postfix(loss=f"{train_loss:.3f}", validation=f"{accuracy:.3f}")
    network.load_state_dict(trainee.predictor().state_dict())
    network.eval()
    return history


class _Trainee:
    """A network in training, with everything that a checkpoint contains."""

    def __init__(
        self,
        network: Network,
        config: TrainingConfig,
        teacher: Teacher | None = None,
        head: LinearHead | None = None,
    ) -> None:
        self.network, self.config, self.head = network, config, head
        self.teacher = teacher.to(device()) if teacher else None
        self.trained = nn.ModuleList([network, *([self.teacher] if self.teacher else [])])
        self.forward: Callable[..., Outputs] = (
            torch.compile(network.forward) if config.compile else network.forward
        )
        self.parameters = list(self.trained.parameters())
        matrices = [p for p in self.parameters if p.ndim > 1]
        others = [p for p in self.parameters if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": config.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
        )
        self.average = (
            AveragedModel(self.trained, avg_fn=self._moving_average, use_buffers=True)
            if config.ema_decay
            else None
        )
        self.resident: ResidentClips | None = None

    def predictor(self) -> Network:
        """Return the network for prediction: with averaged weights, and with the teacher's head."""
        trained = self.trained if self.average is None else self.average.module
        network, *teacher = cast("nn.ModuleList", trained)
        network = cast("Network", network)
        if self.head is None:
            return network
        network = deepcopy(network)
        cast("Teacher", teacher[0]).give_head(network, self.head)
        return network

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def train_epoch(
        self, shards: MelShards, train: Subset, seed: int, epoch: int, mixtures: Mixtures | None
    ) -> tuple[float, float]:
        """Train on random crops of all training clips; return the mean loss and loading seconds."""
        config = self.config
        rng = np.random.default_rng([seed, epoch])
        torch.manual_seed(int(rng.integers(2**62)))
        frames = round(config.crop_seconds * shards.frames_per_second)
        frames = max(frames, self.network.frames_per_step)
        batches = max(1, len(train.track_ids) // config.batch_size)
        passes = max(1, -(-config.min_steps_per_epoch // batches))
        self.network.train()
        losses = []
        waited = 0.0
        start = time.perf_counter()
        crops: Iterable[Crop] = chain.from_iterable(
            random_crops(shards, train, frames, config.batch_size, rng, self.resident)
            for _ in range(passes)
        )
        if mixtures:  # small subsets may have none
            crops = (_joined(crop, *mixtures.batch(rng, len(crop[1]), frames)) for crop in crops)
        for i, crop in enumerate(crops):
            waited += time.perf_counter() - start
            share = (epoch - 1 + i / (batches * passes)) / config.epochs
            for group in self.optimizer.param_groups:
                group["lr"] = _learning_rate(config, share)
            loss = self._loss(*(to_device(part) for part in crop))
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, 5.0)
            self.optimizer.step()
            if self.average is not None:
                self.average.update_parameters(self.trained)
            losses.append(loss.detach())
            start = time.perf_counter()
        # Losses are read at the end, so that the CPU prepares the next step while the GPU computes.
        return float(np.mean(torch.stack(losses).tolist())), waited

    def _loss(self, mel: Tensor, labels: Tensor, metadata: Tensor, hints: Tensor) -> Tensor:
        """Compute the cross-entropy of the crop plus those of its steps and the teacher loss.

        Mixtures at the end of the batch have no labels.
        """
        config = self.config
        genres, labelled = self.network.config.n_genres, slice(len(labels))
        targets = one_hot(labels, genres).float()
        targets = targets * (1 - config.label_smoothing) + config.label_smoothing / genres
        with autocast(config.mixed_precision):
            outputs = self.forward(mel, metadata)
        loss = -(targets * outputs.clip_logits[labelled, -1]).sum(-1).mean()
        if config.aux_loss_weight:
            # Both logits are trained at every step, so that predictions are useful early on.
            steps = (outputs.step_logits[labelled] + outputs.clip_logits[labelled]) / 2
            loss = loss - config.aux_loss_weight * (targets[:, None] * steps).sum(-1).mean()
        if self.teacher is not None:
            errors = self.teacher(outputs.embeddings.float(), hints)
            step_loss = config.aux_loss_weight * errors.mean()
            loss = loss + config.teacher_weight * (errors[:, -1].mean() + step_loss)
        return loss

    def _moving_average(self, average: Tensor, new: Tensor, updates: Tensor | int) -> Tensor:
        # Polynomial-decay averaging (eta = 1; Shamir and Zhang, ICML 2013) until the decay reaches
        # its final value: it forgets the random initialisation quickly, and is smooth early on.
        decay = min(self.config.ema_decay, int(updates) / (int(updates) + 2))
        return average + (1 - decay) * (new - average)

    def resume(self, checkpoint: str | Path) -> list[Row]:
        """Load the state of a checkpoint, if there is one, and return its history."""
        if not Path(checkpoint).exists():
            return []
        saved = torch.load(checkpoint, map_location=device(), weights_only=True)
        self.network.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(saved["average"])
        if self.teacher is not None:
            self.teacher.load_state_dict(saved["teacher"])
        history: list[Row] = saved["history"]
        return history

    def store(self, checkpoint: str | Path, history: list[Row]) -> None:
        """Write a checkpoint after a complete epoch."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "teacher": self.teacher.state_dict() if self.teacher is not None else None,
            "history": history,
        }
        with replacing(checkpoint) as temporary:
            torch.save(state, temporary)


def _joined(crop: Crop, mel: Tensor, targets: Tensor) -> Crop:
    """Append mixtures, without labels and with unknown metadata, to a batch of crops."""
    crops, labels, metadata, hints = crop
    unknown = metadata.new_full((len(mel), metadata.shape[1]), torch.nan)
    return (
        torch.cat([crops, to_device(mel) if crops.is_cuda else mel]),
        labels,
        torch.cat([metadata, unknown]),
        torch.cat([hints, targets]),
    )


def _learning_rate(config: TrainingConfig, share: float) -> float:
    """Return the learning rate after a share of all steps: linear warm-up, then constant."""
    if share < config.warmup:
        return config.learning_rate * max(share / config.warmup, 1e-2)
    return config.learning_rate
