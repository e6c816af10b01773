"""Runs from nothing: one that repeats a finished one, one from spectrograms alone."""

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from studies.project import copy_project

from tests.archives import members, write_archive
from tests.conftest import Snakemake, config, small


def test_second_run_from_scratch_is_bit_identical(
    finished: Path, tmp_path: Path, archives: Path, snakemake: Snakemake
) -> None:
    """One protocol from scratch, all its models and seeds, predicts the same to the bit."""
    project = small(copy_project(tmp_path / "again"))
    run = snakemake(project, *config(archives, protocols="[artist]"), "--", "collect_results")
    assert run.returncode == 0, run.stdout[-5000:]
    runs = sorted((project / "results/local/runs").glob("artist/*/*"))
    assert len(runs) == 2 + 1 + 1 + 2 + 2 + 2 + 2 + 1
    for again in runs:
        first = finished / again.relative_to(project)
        tables = [pd.read_parquet(folder / "predictions.parquet") for folder in (first, again)]
        pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_local_mels_run_without_audio(
    tmp_path: Path, project: Path, archives: Path, snakemake: Snakemake, finished: Path
) -> None:
    """The spectrograms of the finished run, given without audio."""
    folder = tmp_path / "mels"
    folder.mkdir()
    shutil.copy(archives / "fma_metadata.zip", folder)
    index = pd.read_parquet(finished / "results/local/mel/index.parquet")
    for name, rows in index.groupby("file"):
        shard = np.load(finished / "results/local/mel" / str(name)).astype(np.float32)
        mel = shard[rows["row"]][:, :, ::10]
        scaled = np.clip((mel - mel.max(axis=(1, 2), keepdims=True) + 80) / 80 * 255, 0, 255)
        np.savez_compressed(
            folder / f"mels-{Path(str(name)).stem}.npz",
            track_id=rows.index.to_numpy(np.int32),
            mel=scaled.astype(np.uint8),
        )
    settings = {"models": "[svm,crnn]", "protocols": "[artist]", "seeds": "[1]"}
    arguments = config(folder, dataset="local_mels", **settings)
    run = snakemake(small(project), *arguments, "--", "report_page")
    assert run.returncode == 0, run.stdout[-5000:]
    results = project / "results/local_mels"
    assert pd.read_parquet(results / "features/fma.parquet").shape == (36, 140)
    assert len(pd.read_csv(results / "report/results.csv")) == 2


def test_music_without_artists_leaves_artist_protocol_out(
    tmp_path: Path, project: Path, archives: Path, snakemake: Snakemake
) -> None:
    folder = tmp_path / "nameless"
    folder.mkdir()
    (folder / "fma_small.zip").symlink_to(archives / "fma_small.zip")
    name = "fma_metadata/tracks.csv"
    table = io.BytesIO(members(archives / "fma_metadata.zip")[name])
    tracks = pd.read_csv(table, header=[0, 1], index_col=0)
    named = tracks.drop(columns=["artist", "album"], level=0)
    write_archive(folder / "fma_metadata.zip", {name: named.to_csv()})
    settings = config(folder, models="[svm]", protocols="[artist]")
    refused = snakemake(small(project), *settings)
    assert refused.returncode != 0 and "Traceback" not in refused.stdout, refused.stdout[-3000:]
    line = "error: config key protocols: artist: no track names an artist; use protocols=random"
    assert line in refused.stdout, refused.stdout[-3000:]
    settings = config(folder, models="[svm]", protocols="[artist,random]")
    run = snakemake(project, *settings, "--", "results_table")
    assert run.returncode == 0, run.stdout[-5000:]
    assert "Skipped the protocol artist: no track names an artist." in run.stdout
    results = pd.read_csv(project / "results/local/report/results.csv")
    assert results["accuracy"].iloc[0] > 1 / 3
