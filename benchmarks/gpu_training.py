"""Training process of the GPU benchmark, on random spectrograms."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch

from songnet.data.batches import Subset
from songnet.data.shards import MelShards
from songnet.models.base import Network, make_network
from songnet.models.configs import NetworkConfig
from songnet.training import loop
from songnet.training.config import TrainingConfig

GENRES, BANDS, FRAMES_PER_SECOND = 8, 128, 22_050 / 512
VALIDATION = 16  # tracks
Row = dict[str, Any]


@dataclass(frozen=True)
class Training:
    """A training in its own process."""

    folder: str  # folder of the spectrograms
    on_gpu: bool = True
    mixed_precision: bool = True
    compile: bool = False
    resident: bool = True  # whether the spectrograms are kept in GPU memory
    batch_size: int = 32
    steps: int = 20  # minimum per epoch
    epochs: int = 4
    checkpoint: str = ""

    def start(self) -> subprocess.Popen[str]:
        """Start the process, which prints a row of the history per epoch."""
        hidden = {} if self.on_gpu else {"CUDA_VISIBLE_DEVICES": ""}
        command = [sys.executable, "-m", "benchmarks.gpu_training", json.dumps(vars(self))]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | hidden)

    def run(self) -> list[Row]:
        """Train to the end and return the history."""
        return finish(self.start())


def finish(process: subprocess.Popen[str]) -> list[Row]:
    """Wait for a training process and return its history."""
    output, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return [json.loads(line) for line in output.splitlines()]


def train(training: Training) -> None:
    """Train in this process and print the history."""
    shards = MelShards.read(Path(training.folder, "index.parquet"))
    ids = np.array(shards.track_ids)
    labels, metadata = ids % GENRES, np.full((len(ids), 3), np.nan, np.float32)
    train_subset, validation = (
        Subset(ids[part], labels[part], metadata[part])
        for part in (slice(VALIDATION, None), slice(VALIDATION))
    )
    config = TrainingConfig(
        epochs=training.epochs, batch_size=training.batch_size,
        min_steps_per_epoch=training.steps, learning_rate=1e-3, label_smoothing=0.1,
        aux_loss_weight=0.3, ema_decay=0.9, mixed_precision=training.mixed_precision,
        compile=training.compile,
    )  # fmt: skip
    batches = max(1, len(train_subset.labels) // training.batch_size)
    crops = -(-training.steps // batches) * batches * training.batch_size

    def show(history: list[Row]) -> None:
        used = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0
        print(json.dumps(history[-1] | {"crops": crops, "memory": used}), flush=True)

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        if not training.resident:
            stack.enter_context(mock.patch.object(loop, "fits_on_gpu", return_value=False))
        checkpoint = training.checkpoint or Path(folder, "checkpoint.pt")
        loop.train_network(make(), shards, train_subset, validation, config, 1, checkpoint, show)


def make() -> Network:
    """Create the causal C-RNN."""
    torch.manual_seed(1)
    return make_network("causal_crnn", NetworkConfig(BANDS, GENRES, FRAMES_PER_SECOND), {})


def write_spectrograms(folder: Path, tracks: int, seconds: float) -> None:
    """Write a shard of random spectrograms, with one louder band per genre."""
    rng = np.random.default_rng(0)
    frames = round(seconds * FRAMES_PER_SECOND)
    mels = np.lib.format.open_memmap(folder / "000.npy", "w+", np.float16, (tracks, BANDS, frames))
    for track in range(tracks):
        mels[track] = rng.normal(-40, 10, (BANDS, frames))
        mels[track, 16 * (track % GENRES) :][:16] += 5
    mels.flush()
    index = {"file": "000.npy", "row": range(tracks), "frames": frames, "seconds": seconds}
    pd.DataFrame(index).to_parquet(folder / "index.parquet")


if __name__ == "__main__":
    train(Training(**json.loads(sys.argv[1])))
