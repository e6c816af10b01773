"""The network trains, repeats itself, and resumes to the bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from songnet import crnn
from songnet.shards import MelShards
from songnet.training import (
    Part,
    TrainingConfig,
    band_statistics,
    predict_clips,
    random_crops,
    train_crnn,
)

CONFIG = crnn.CRNNConfig(n_mels=12, n_genres=2, channels=[8, 8, 8], kernel=3, hidden=8)
TRAINING = TrainingConfig(epochs=6, patience=6, batch_size=8, crop_seconds=3.0, learning_rate=5e-3)


@pytest.fixture
def shards(tmp_path: Path) -> MelShards:
    """48 clips in two shards: genre 1 is louder in the upper bands."""
    rng = np.random.default_rng(0)
    mels = rng.normal(-40, 10, (48, 12, 60)).astype(np.float16)
    mels[1::2, 6:] += 8
    np.save(tmp_path / "000.npy", mels[:30])
    np.save(tmp_path / "001.npy", mels[30:])
    index = pd.DataFrame(
        {
            "shard": ["000.npy"] * 30 + ["001.npy"] * 18,
            "row": [*range(30), *range(18)],
            "frames": 60,
            "seconds": 6.0,
        },
        index=np.arange(100, 148),
    )
    index.loc[105, "frames"] = 20
    return MelShards(tmp_path, index)


def parts() -> tuple[Part, Part]:
    track_ids, labels = np.arange(100, 148), np.arange(48) % 2
    return Part(track_ids[:32], labels[:32]), Part(track_ids[32:], labels[32:])


def run(
    shards: MelShards, checkpoint: Path, **arguments: Any
) -> tuple[crnn.CRNN, list[dict[str, float]]]:
    torch.set_num_threads(1)
    train, validation = parts()
    return train_crnn(shards, train, validation, CONFIG, TRAINING, 1, checkpoint, **arguments)


def test_learns_and_repeats_itself(shards: MelShards, tmp_path: Path) -> None:
    first, history = run(shards, tmp_path / "a.pt")
    again, _ = run(shards, tmp_path / "b.pt")
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert max(row["validation_accuracy"] for row in history) > 0.8
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_resumes_to_the_bit(shards: MelShards, tmp_path: Path, stop_after: int) -> None:
    whole, history = run(shards, tmp_path / "whole.pt")

    def stop(rows: list[dict[str, float]]) -> None:
        if len(rows) == stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(shards, tmp_path / "cut.pt", on_epoch=stop)
    resumed, rows = run(shards, tmp_path / "cut.pt")
    assert [row["train_loss"] for row in rows] == [row["train_loss"] for row in history]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_best_epoch_is_returned(shards: MelShards, tmp_path: Path) -> None:
    model, history = run(shards, tmp_path / "a.pt")
    _, validation = parts()
    logs = predict_clips(model, shards, validation.track_ids)
    best = max(row["validation_accuracy"] for row in history)
    assert np.mean(logs.argmax(axis=1) == validation.labels) == pytest.approx(best)


def test_saved_networks_predict_the_same(shards: MelShards, tmp_path: Path) -> None:
    model, _ = run(shards, tmp_path / "a.pt")
    crnn.save(model, ["a", "b"], {"seed": 1}, tmp_path / "model.safetensors")
    loaded, genres = crnn.load(tmp_path / "model.safetensors")
    assert genres == ["a", "b"]
    ids = np.arange(100, 148)
    np.testing.assert_array_equal(
        predict_clips(model, shards, ids), predict_clips(loaded, shards, ids)
    )


def test_probabilities(shards: MelShards) -> None:
    model = crnn.CRNN(CONFIG).eval()
    steps = model(torch.randn(3, 12, 60))
    assert steps.shape == (3, 60 // model.frames_per_step, 2)
    torch.testing.assert_close(steps.exp().sum(-1), torch.ones(3, 7))
    torch.testing.assert_close(crnn.clip_log_probabilities(steps).exp(), steps.exp().mean(dim=1))


def test_crops_are_parts_of_their_clips(shards: MelShards) -> None:
    train, _ = parts()
    batches = list(random_crops(shards, train, 25, 8, np.random.default_rng(0)))
    assert [len(labels) for _, labels in batches] == [8, 8, 8, 8]
    mel, labels = batches[0]
    assert mel.shape == (8, 12, 25)
    order = np.random.default_rng(0).permutation(32)
    assert labels.tolist() == train.labels[order[:8]].tolist()
    whole = shards.mel(int(train.track_ids[order[0]])).astype(np.float32)
    starts = [s for s in range(36) if np.array_equal(whole[:, s : s + 25], mel[0].numpy())]
    assert len(starts) == 1


def test_band_statistics(shards: MelShards) -> None:
    ids = np.arange(100, 132)
    mean, std = band_statistics(shards, ids)
    whole = np.concatenate([shards.mel(int(i)) for i in ids], axis=1).astype(np.float64)
    np.testing.assert_allclose(mean, whole.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(std, whole.std(axis=1), rtol=1e-4)
