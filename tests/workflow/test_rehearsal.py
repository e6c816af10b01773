"""The rehearsal at true scale, in small."""

from pathlib import Path

import pytest
from studies.rehearsal import STAGES, main

from songnet.features.mel import MelSpectrogram


def test_rehearsal_of_40_tracks(archives: Path, tmp_path: Path) -> None:
    words = ["--tracks", "40", "--pool", "4", "--clips", str(archives / "fma_small.zip")]
    row = main([*words, "--hop-length", "1024", "--out", str(tmp_path)]).iloc[0]
    assert row["tracks"] == 40
    assert row["quarantined"] == 0
    frames = MelSpectrogram(hop_length=1024).frames(30)
    assert 1e9 * row["spectrograms GB"] == pytest.approx(40 * 128 * frames * 2, rel=0.01)
    assert row["archive GB"] > 40 * 0.2e-3
    kept = row["archive GB"] + row["spectrograms GB"]
    assert kept < row["all files GB"] < kept + 0.1
    for stage in STAGES:
        assert row[f"{stage} ms per track"] > 0, stage
        assert row[f"{stage} peak MB"] > 0, stage
    assert sum(row[f"{stage} ms per track"] for stage in STAGES) < row["CPU ms per track"]
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", "table.md", "figure.svg"}
