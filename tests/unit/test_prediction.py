"""Saved networks on whole clips and on their beginnings."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from songnet import networks, prediction
from songnet.crnn import CRNN, CRNNConfig


def test_weights_are_read_once_for_all_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    np.save(tmp_path / "000.npy", rng.normal(-40, 9, (3, 32, 100)).astype(np.float16))
    pd.DataFrame(
        {"shard": "000.npy", "row": range(3), "frames": 100, "seconds": 5.0}, index=[7, 8, 9]
    ).to_parquet(tmp_path / "index.parquet")
    tracks = pd.DataFrame({"released": None, "duration": 5, "bit_rate": None}, index=[9, 7])
    paths = [str(tmp_path / f"{seed}.safetensors") for seed in (1, 2)]
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        networks.save(CRNN(CRNNConfig(32, 2, 20.0, [4, 4, 4])), ["Pop", "Rock"], {}, path)
    read: list[str] = []
    monkeypatch.setattr(
        prediction,
        "load",
        lambda path: read.append(path) or networks.load(path),  # type: ignore
    )
    predictor = prediction.Predictor([str(tmp_path / "index.parquet")], tracks, threads=1)
    found = []
    for path in paths:
        assert predictor.hears(path, 0.4) and not predictor.hears(path, 0.3)  # a step of 8 frames
        found += [predictor.predict(path, seconds)[2] for seconds in (0.4, 1, 5, None)]
    assert read == paths
    np.testing.assert_array_equal(found[2], found[3])
    assert all(np.abs(found[0] - other).max() > 1e-5 for other in (found[1], found[2], found[4]))
