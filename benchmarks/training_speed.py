"""Training of the C-RNN, compared with a plain implementation.

The plain implementation trains on whole clips, read from one compressed file per track, with Conv1d
over (batch, bands, time), an LSTM, and Adam with a constant learning rate. It trains for a number
of epochs; SongNet's `crnn` trains until it reaches the best validation accuracy of these.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks.measure import Section, spread
from songnet.data.batches import Subset, random_crops
from songnet.data.shards import MelShards
from songnet.data.subsets import read_subsets
from songnet.models.base import make_network
from songnet.models.configs import NetworkConfig
from songnet.pipeline.configuration import read_models
from songnet.training import loop
from songnet.training.config import TrainingConfig

ROOT = Path(__file__).parents[1]
Curve = list[tuple[float, float]]  # CPU seconds so far, validation accuracy


class Plain(nn.Module):
    """A tutorial-style network of the same size as `crnn`."""

    def __init__(self, n_mels: int, n_genres: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs in (n_mels, 64, 64):
            layers += [nn.Conv1d(inputs, 64, 5, padding=2), nn.BatchNorm1d(64), nn.ReLU(),
                       nn.MaxPool1d(2), nn.Dropout(0.3)]  # fmt: skip
        self.convolutions = nn.Sequential(*layers)
        self.recurrence = nn.LSTM(64, 96, batch_first=True)
        self.output = nn.Linear(96, n_genres)

    def forward(self, x: Tensor) -> Tensor:
        """Compute logits (B, C) after the last step from spectrograms (B, M, T)."""
        x, _ = self.recurrence(self.convolutions(x).transpose(1, 2))
        return self.output(x[:, -1])


def train_plainly(
    folder: Path, train: Subset, validation: Subset, n_genres: int, epochs: int, seed: int
) -> Curve:
    """Train on files ``folder/<track_id>.npz``."""

    def batches(subset: Subset, order: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in np.array_split(order, max(1, len(order) // 32)):
            mels = [np.load(folder / f"{subset.track_ids[i]}.npz")["mel"] for i in rows]
            x = torch.from_numpy(np.stack(mels).astype(np.float32)) / 40 + 1
            yield x, torch.from_numpy(subset.labels[rows])

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Plain(np.load(next(folder.glob("*.npz")))["mel"].shape[0], n_genres)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    curve: Curve = []
    start = time.process_time()
    for _ in range(epochs):
        network.train()
        for x, y in batches(train, rng.permutation(len(train.labels))):
            loss = nn.functional.cross_entropy(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            hits = [
                (network(x).argmax(1) == y).sum().item()
                for x, y in batches(validation, np.arange(len(validation.labels)))
            ]
        curve.append((time.process_time() - start, sum(hits) / len(validation.labels)))
    return curve


class _ReachedError(Exception):
    """The target accuracy is reached."""


def train_songnet(
    shards: MelShards, train: Subset, validation: Subset, n_genres: int, target: float, seed: int
) -> tuple[Curve, float]:
    """Train `crnn` to a target accuracy; return its curve and the fraction of loading time."""
    entry = read_models(ROOT / "config/models.yaml")["crnn"]
    curve: Curve = []
    loading: list[float] = []
    start = time.process_time()

    def on_epoch(history: list[loop.Row]) -> None:
        loading.append(history[-1]["loading"])
        accuracy = history[-1]["validation_accuracy"]
        curve.append((time.process_time() - start, accuracy))
        if accuracy >= target:
            raise _ReachedError

    try:
        torch.manual_seed(seed)
        data = NetworkConfig(shards.bands, n_genres, shards.frames_per_second)
        network = make_network(entry["network"], data, entry["parameters"])
        config = TrainingConfig(**entry["training"])
        with tempfile.TemporaryDirectory() as folder:
            loop.train_network(
                network, shards, train, validation, config, seed, Path(folder, "a.pt"), on_epoch
            )
    except _ReachedError:
        pass
    return curve, float(np.mean(loading))


def anonymous_memory(shards: MelShards, subset: Subset, n_genres: int, times: int) -> float:
    """Measure the peak memory of training in MB, without mapped files.

    Args:
        shards: spectrograms.
        subset: training subset.
        n_genres: number of genres.
        times: number of times each track is repeated.
    """
    many = Subset(*(np.concatenate([array] * times) for array in
                  (subset.track_ids, subset.labels, subset.metadata)))  # fmt: skip
    peak = 0

    def look() -> None:
        nonlocal peak
        status = Path("/proc/self/status").read_text()
        peak = max(peak, int(status.partition("RssAnon:")[2].split()[0]))

    network = make_network(
        "crnn",
        NetworkConfig(shards.bands, n_genres, shards.frames_per_second),
        {},
    )
    network.train()
    rng = np.random.default_rng(0)
    frames = round(10 * shards.frames_per_second)
    for mel, labels, *_ in random_crops(shards, many, frames, 32, rng):
        loss = nn.functional.nll_loss(network(mel).clip_logits[:, -1], labels)
        loss.backward()
        look()
    return peak / 1024


def training_data(results: Path, split: str) -> tuple[Subset, Subset, MelShards, int]:
    """Return training and validation subsets, spectrograms, and the number of genres."""
    tracks = pd.read_parquet(results / "tracks.parquet")
    subsets = read_subsets(results / f"splits/{split}.parquet")
    genres = sorted(tracks["genre"].unique())
    train, validation = (
        Subset.of(tracks.loc[subsets.index[subsets == name]], genres)
        for name in ("train", "validation")
    )
    return train, validation, MelShards.read(results / "mel/index.parquet"), len(genres)


def measure(results: Path, repeats: int, split: str = "artist", epochs: int = 10) -> list[Section]:
    """Compare on the spectrograms of a finished run, with one thread."""
    torch.set_num_threads(1)
    train, validation, shards, n_genres = training_data(results, split)
    reached, ratios, loadings = 0, [], []
    rates: dict[str, list[float]] = {"plain": [], "SongNet": []}
    with tempfile.TemporaryDirectory() as folder:
        track_ids = np.concatenate([train.track_ids, validation.track_ids])
        longest = max(shards.frames(int(i)) for i in track_ids)
        for track_id in track_ids:
            clip = np.full((shards.bands, longest), -100.0, np.float32)
            clip[:, : shards.frames(int(track_id))] = shards.mel(int(track_id))
            np.savez_compressed(Path(folder, f"{track_id}.npz"), mel=clip)
        for seed in range(1, repeats + 1):
            plain = train_plainly(Path(folder), train, validation, n_genres, epochs, seed)
            target = max(accuracy for _, accuracy in plain)
            needed = next(seconds for seconds, accuracy in plain if accuracy >= target)
            ours, loading = train_songnet(shards, train, validation, n_genres, target, seed)
            loadings.append(100 * loading)
            for name, curve in (("plain", plain), ("SongNet", ours)):
                rates[name].append(len(train.labels) * len(curve) / curve[-1][0])
            if ours[-1][1] >= target:
                reached += 1
                ratios.append(needed / ours[-1][0])
    few, many = (anonymous_memory(shards, train, n_genres, times) for times in (1, 4))
    rows = {
        "plain, clips per second": spread(rates["plain"], 0),
        "SongNet, crops per second": spread(rates["SongNet"], 0),
        "plain / SongNet, time to the same accuracy": (
            spread(ratios) if ratios else "never reached"
        ),
        "seeds that reach it": f"{reached} of {repeats}",
        "loading, % of SongNet's time": spread(loadings, 1),
        "memory without mapped files, MB; with four times the tracks": f"{few:.0f}; {many:.0f}",
    }
    return [
        Section(
            "Training",
            f"{len(train.labels)} tracks, one thread, CPU time: {epochs} epochs of the plain "
            "implementation, and SongNet's `crnn` until it reaches their best validation accuracy.",
            [{"what": name, "value": value} for name, value in rows.items()],
            {"training to the same accuracy: plain": np.array(ratios)} if ratios else {},
        )
    ]
