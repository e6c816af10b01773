"""Saved networks on whole clips and on their beginnings."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from songnet.data.shards import MelShards
from songnet.models import base
from songnet.models.configs import CRNNConfig
from songnet.models.crnn import CRNN
from songnet.training import predict


def test_weights_are_read_once_for_all_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    np.save(tmp_path / "000.npy", rng.normal(-40, 9, (3, 32, 100)).astype(np.float16))
    pd.DataFrame(
        {"file": "000.npy", "row": range(3), "frames": 100, "seconds": 5.0}, index=[7, 8, 9]
    ).to_parquet(tmp_path / "index.parquet")
    tracks = pd.DataFrame({"released": None, "duration": 5, "bit_rate": None}, index=[9, 7])
    paths = [str(tmp_path / f"{seed}.safetensors") for seed in (1, 2)]
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        base.save(CRNN(CRNNConfig(32, 2, 20.0, [4, 4, 4])), ["Pop", "Rock"], {}, path)
    read: list[str] = []
    monkeypatch.setattr(
        predict,
        "load",
        lambda path: read.append(path) or base.load(path),  # type: ignore
    )
    predictor = predict.Predictor([str(tmp_path / "index.parquet")], tracks, threads=1)
    assert predictor.beginnings([0.5, 4, 5, 30]) == [0.5, 4, 5]  # clips of five seconds
    assert predictor.beginnings([0.5, 4, 20, 30]) == [0.5, 4, 20]
    found = []
    for path in paths:
        assert predictor.has_step(path, 0.4) and not predictor.has_step(
            path, 0.3
        )  # a step of 8 frames
        found += [predictor.predict(path, seconds)[2] for seconds in (0.4, 1, 5, None)]
    assert read == paths
    np.testing.assert_array_equal(found[2], found[3])
    assert all(np.abs(found[0] - other).max() > 1e-5 for other in (found[1], found[2], found[4]))


def test_clips_of_different_lengths_come_back_in_their_order(tmp_path: Path) -> None:
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
        assert np.ptp(alone, axis=0).max() > 1e-3  # so that another order would be seen
