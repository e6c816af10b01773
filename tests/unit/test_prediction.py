"""Saved networks on whole clips and on excerpts."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from songnet.data.batches import whole_clips
from songnet.data.shards import MelShards
from songnet.models import base
from songnet.models.configs import CRNNConfig, NetworkConfig
from songnet.models.crnn import CRNN
from songnet.training import predict


@pytest.fixture
def shards(tmp_path: Path) -> str:
    """Thirty clips of 100 frames, except one of 44; 20 frames a second."""
    rng = np.random.default_rng(1)
    levels = rng.normal(-40, 9, (30, 32, 100)) + rng.normal(0, 20, (30, 32, 1))
    np.save(tmp_path / "000.npy", levels.astype(np.float16))
    frames = np.array([100] * 29 + [44])
    pd.DataFrame(
        {"file": "000.npy", "row": range(30), "frames": frames, "seconds": frames / 20},
        index=range(30),
    ).to_parquet(tmp_path / "index.parquet")
    return str(tmp_path / "index.parquet")


TRACKS = pd.DataFrame({"released": None, "duration": 5, "bit_rate": None}, index=range(29, -1, -1))
SIZES: dict[str, dict[str, Any]] = {
    "crnn": {"channels": [4, 4, 4]},
    "causal_crnn": {"channels": [4, 4, 4], "features": 32, "hidden": 32},
}


@pytest.mark.parametrize(("kind", "passes"), [("crnn", 4), ("causal_crnn", 1)])
def test_excerpt_predictions_equal_those_of_shorter_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: str, kind: str, passes: int
) -> None:
    """For a causal network, one pass over whole clips is enough."""
    path = str(tmp_path / "model.safetensors")
    torch.manual_seed(0)
    network = base.make_network(kind, NetworkConfig(32, 5, 20.0), SIZES[kind]).eval()
    network.set_statistics(torch.tensor(-50.0), torch.tensor(20.0), np.zeros((1, 3), np.float32))
    base.save(network, list("ABCDE"), {}, path)
    read: list[str] = []
    clips: list[int] = []
    one_pass = whole_clips
    monkeypatch.setattr(
        predict,
        "load",
        lambda path: read.append(path) or base.load(path),  # type: ignore
    )
    monkeypatch.setattr(
        predict,
        "whole_clips",
        lambda *args: clips.append(len(args[1])) or one_pass(*args),  # type: ignore
    )
    predictor = predict.Predictor([shards], TRACKS, threads=1)
    rows = np.arange(0, 30, 2)
    _, _, whole = predictor.predict(path)
    found = {
        seconds: (predicted, probabilities)
        for seconds, predicted, probabilities in predictor.predict_excerpts(
            path, [0.1, 1, 2.5, 5, 30], rows
        )
    }
    assert read == [path]
    assert clips == [30] + [15] * (passes - 1)
    assert list(found) == [1, 2.5, 5]  # 0.1 s is shorter than a step; clips last five seconds
    np.testing.assert_allclose(found[5][1], whole[rows], atol=1e-6)
    for seconds, (predicted, probabilities) in found.items():
        expected = predict.predict_clips(
            network, MelShards.read(shards), 29 - rows, np.zeros((15, 3), np.float32), seconds
        )
        np.testing.assert_allclose(probabilities, np.exp(expected), atol=1e-6)
        np.testing.assert_array_equal(predicted, np.array(list("ABCDE"))[expected.argmax(axis=1)])


def test_predictor_reads_other_network(tmp_path: Path, shards: str) -> None:
    predictor = predict.Predictor([shards], TRACKS, threads=1)
    found = []
    for seed in (1, 2, 1):
        path = str(tmp_path / f"{seed}.safetensors")
        torch.manual_seed(seed)
        base.save(CRNN(CRNNConfig(32, 2, 20.0, [4, 4, 4])), ["Pop", "Rock"], {}, path)
        found.append(predictor.predict(path)[2])
    np.testing.assert_array_equal(found[0], found[2])
    assert np.abs(found[0] - found[1]).max() > 1e-5


def test_predict_and_embed_clips_keep_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    frames = [90, 40, 90, 33, 40, 90]
    np.save(tmp_path / "000.npy", rng.normal(-40, 9, (6, 32, 90)).astype(np.float16))
    index = pd.DataFrame(
        {"file": "000.npy", "row": range(6), "frames": frames, "seconds": 4.5},
        index=range(10, 16),
    )
    shards = MelShards(tmp_path, index)
    torch.manual_seed(0)
    network = CRNN(CRNNConfig(32, 3, 20.0, [4, 4, 4])).eval()
    ids = np.array([14, 10, 13, 15, 11, 12])
    metadata = np.zeros((6, 3), np.float32)
    for apply in (predict.predict_clips, predict.embed_clips):
        together = apply(network, shards, ids, metadata)
        alone = np.concatenate([apply(network, shards, ids[i : i + 1], metadata[:1])
                                for i in range(6)])  # fmt: skip
        np.testing.assert_allclose(together, alone, atol=1e-6)
        assert np.ptp(alone, axis=0).max() > 1e-3  # so that a different order would be detected
