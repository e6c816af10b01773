"""The rule that downloads, against a real server with archives in FMA's layout."""

import shutil
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from songnet.data.tracks import read_tracks
from songnet.features.fma518 import columns
from songnet.io import read_json, sha1
from tests.conftest import Snakemake
from tests.servers import serving
from tests.unit.test_sample import folder_contents

NAMES = ("fma_metadata.zip", "fma_small.zip")
GENRES = "genres=[Rock,Folk,Electronic]"


@pytest.fixture
def server(archives: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(archives))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()


def expect(project: Path, archives: Path) -> dict[str, str]:
    """Let fma_small be the small archives; returns their sums."""
    sums = {name: sha1(archives / name) for name in NAMES}
    path = project / "config/datasets.yaml"
    table = yaml.safe_load(path.read_text())
    table["fma_small"]["files"] = {name: {"sha1": value} for name, value in sums.items()}
    table["fma_small"]["urls"] = ["http://127.0.0.1:9/"]
    path.write_text(yaml.safe_dump(table))
    return sums


def test_download_from_mirror(
    project: Path, archives: Path, server: str, snakemake: Snakemake
) -> None:
    sums = expect(project, archives)
    settings = ["--config", "dataset=fma_small", GENRES, f"mirrors=[{server}]"]
    run = snakemake(project, *settings, "--", "results/fma_small/archives.json")
    assert run.returncode == 0, run.stdout[-3000:]
    assert read_json(project / "results/fma_small/archives.json") == sums
    assert {path.name for path in (project / "resources/fma").iterdir()} == set(NAMES)
    # What has arrived stays, whatever other address is tried for the rest.
    settings[-1] = "mirrors=[http://127.0.0.1:8/]"
    plan = snakemake(project, "-n", *settings, "--", "results/fma_small/archives.json")
    assert "Nothing to be done" in plan.stdout


def test_archives_in_folder_are_checked_not_fetched(
    project: Path, archives: Path, tmp_path: Path, snakemake: Snakemake
) -> None:
    sums = expect(project, archives)
    settings = ["--config", "dataset=fma_small", GENRES, f"archives={archives}"]
    target = ["--", "results/fma_small/archives.json"]
    run = snakemake(project, *settings, *target)
    assert run.returncode == 0, run.stdout[-3000:]
    assert read_json(project / "results/fma_small/archives.json") == sums
    assert not (project / "resources").exists()
    # Clips beside FMA's own metadata are checked.
    shutil.copy(archives / NAMES[0], tmp_path)
    clips = tmp_path / NAMES[1]
    clips.write_bytes((archives / NAMES[1]).read_bytes() + b"x")
    run = snakemake(project, *settings[:-1], f"archives={tmp_path}", *target)
    assert run.returncode != 0
    assert f"fma_small.zip: SHA-1 is {sha1(clips)}, expected" in run.stdout


def test_download_reports_missing_address(
    project: Path, archives: Path, server: str, snakemake: Snakemake
) -> None:
    expect(project, archives)
    settings = ["--config", "dataset=fma_small", f"mirrors=[{server}nowhere/]"]
    path = project / "config/datasets.yaml"
    path.write_text(path.read_text().replace("http://127.0.0.1:9/", f"{server}nowhere/either/"))
    run = snakemake(project, *settings, "--", "resources/fma/fma_metadata.zip")
    assert run.returncode != 0
    assert f"error: {server}nowhere/fma_metadata.zip: the server answers 404" in run.stdout
    assert not (project / "resources/fma/fma_metadata.zip").exists()


def test_tracks_per_genre_fetches_clips_only(
    project: Path, archives: Path, snakemake: Snakemake
) -> None:
    expect(project, archives)
    with serving() as start:
        server = start(folder_contents(archives), "", lambda number: False)
        settings = [
            "--config", "dataset=fma_small", GENRES, f"mirrors=[{server.url}]",
            "tracks_per_genre=4", "models=[svm]", "protocols=[random]",
        ]  # fmt: skip
        plan = snakemake(project, *settings, "-n")
        assert "fma_features_shard" in plan.stdout  # features.csv is not fetched
        run = snakemake(project, *settings, "--", "data")
    assert run.returncode == 0, run.stdout[-3000:]
    tracks = pd.read_parquet(project / "results/fma_small/tracks.parquet")
    quarantine = pd.read_csv(project / "results/fma_small/quarantine.csv")
    assert len(tracks) + len(quarantine) == 12
    assert not (project / "resources/fma/fma_small.zip").exists()


def test_poster_data_set_needs_metadata_only(
    project: Path, archives: Path, tmp_path: Path, snakemake: Snakemake
) -> None:
    metadata = tmp_path / "fma_metadata.zip"
    metadata.write_bytes((archives / "fma_metadata.zip").read_bytes())
    tracks = read_tracks(str(metadata))
    values = np.random.default_rng(0).normal(size=(len(tracks), 518)) + (
        10 * pd.factorize(tracks["genre"])[0][:, None] * (np.arange(518) < 300)
    )
    features = pd.DataFrame(values, index=tracks.index, columns=columns())
    with zipfile.ZipFile(metadata, "a") as archive:
        archive.writestr("fma_metadata/features.csv", features.to_csv())
    path = project / "config/datasets.yaml"
    table = yaml.safe_load(path.read_text())
    table["poster"]["files"] = {metadata.name: {"sha1": sha1(metadata)}}
    path.write_text(yaml.safe_dump(table, sort_keys=False))
    settings = ["--configfile", "config/poster.yaml", "--config", f"archives={tmp_path}", GENRES]
    run = snakemake(project, *settings)
    assert run.returncode == 0, run.stdout[-3000:]
    results = pd.read_csv(project / "results/poster/report/results.csv").set_index("model")
    assert results.loc["svm", "accuracy"] == 1  # the genres lie far apart
    assert "untrimmed tracks" in (project / "results/poster/report/results.md").read_text()
    # Broken clips have features as well, and FMA's notebook knows nothing of clips.
    assert len(pd.read_parquet(project / "results/poster/tracks.parquet")) == len(tracks)
    run = snakemake(project, *settings, "models=[svm,crnn]")
    assert "config key models: 'crnn' needs clips, which dataset=poster does not have" in run.stdout
