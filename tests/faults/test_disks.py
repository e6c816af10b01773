"""Disks: full or read-only in every stage, then free again."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import RUNS, Place, errors

REPORT = "results/local/report"
PAGES = f"figures {REPORT}/excerpts.csv {REPORT}/analysis.html {REPORT}/filters.html"
# For each stage what is made before the disk is full (separated by spaces), what is to be made
# then, and what the line must name. In the order in which data flow.
STAGES = {
    "spectrograms": ("results/local/selection.parquet", "results/local/tracks.parquet", "mel/00"),
    "features": ("results/local/tracks.parquet", "results/local/features/fma.parquet", "features/"),
    "splits": ("results/local/features/fma.parquet", "data", "splits/artist"),
    "training": ("data", f"{RUNS}/causal_crnn/1/model.safetensors", "results/local/"),
    "evaluation": (
        f"{RUNS}/causal_crnn/1/model.safetensors",
        f"{RUNS}/causal_crnn/1/metrics.json",
        "runs/artist/causal_crnn/1/",
    ),
    "table": (f"{REPORT}/results.csv", "results_table", "report/results.md"),
    "figures": (f"{REPORT}/excerpts.csv results_table", "figures", "report/"),
    "analysis": ("results/local/best.safetensors", f"{REPORT}/analysis.html", "report/"),
    "report": (f"{PAGES} results/local/examples", "report_page", "report/index"),
}


def fill(folder: Path) -> None:
    """Take all space that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(shutil.disk_usage(folder).free))


def on_disk_of_its_own(place: Place, mounts: Any) -> None:
    """Let the results be a small file system, with nothing on it yet."""
    shutil.rmtree(place.results, ignore_errors=True)
    place.results.mkdir(parents=True)
    mounts(place.results, "-t", "tmpfs", "-o", "size=400m", "tmpfs")


@pytest.mark.short
def test_full_disk_while_data_are_made(empty: Place, made: Place, mounts: Any) -> None:
    """The results are a small disk from the beginning."""
    on_disk_of_its_own(empty, mounts)
    mounts(empty.results, "-o", "remount,size=2m")
    run = empty.run("data")
    assert run.returncode != 0
    assert any("mel/000.npy: no space left" in line for line in errors(run.stdout)), run.stdout
    assert not list(empty.results.glob("mel/*.npy"))
    mounts(empty.results, "-o", "remount,size=400m")
    assert empty.run("data").returncode == 0
    empty.check_like(made)


@pytest.mark.faults
def test_full_disk_in_every_stage(
    empty: Place, quiet: Place, mounts: Any, cases: Callable[[str], None]
) -> None:
    """A run that meets a full disk in one stage after the other, and goes on when it is free."""
    on_disk_of_its_own(empty, mounts)
    for stage in STAGES:
        cases(f"full disk in the stage of {stage}")
    for before, target, place in STAGES.values():
        run = empty.run(*before.split())
        assert run.returncode == 0, run.stdout[-4000:]
        fill(empty.results)
        run = empty.run(target)
        assert run.returncode != 0
        lines = errors(run.stdout)
        assert any("no space left" in line.lower() and place in line for line in lines), run.stdout
        empty.check_no_half(quiet)
        (empty.results / "ballast").unlink()
    empty.finish(*(target for _, target, _ in STAGES.values()))
    empty.check_like(quiet)


@pytest.mark.faults
def test_full_disk_under_everything(
    place: Place, quiet: Place, mounts: Any, tmp_path: Path
) -> None:
    """Snakemake's own notes and MLflow's store are on the full disk too."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounts(disk, "-t", "tmpfs", "-o", "size=600m", "tmpfs")
    crowded = place.copy(disk / "project")
    # A store of MLflow is of its folder: the copy begins one of its own.
    for path in crowded.project.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(crowded.project / "mlartifacts")
    crowded.remove("runs/artist/causal_crnn", "report", "mlflow")
    fill(disk)
    run = crowded.run()
    assert run.returncode != 0 and "no space left" in run.stdout.lower()
    (disk / "ballast").unlink()
    targets = ["results_table", "results/local/mlflow/runs.json"]
    if "--unlock" in crowded.run(*targets).stdout:
        crowded.unlock()
    crowded.finish(*targets)
    crowded.check_like(quiet)


@pytest.mark.faults
def test_read_only_results(place: Place, quiet: Place, mounts: Any) -> None:
    place.remove("report/results.md")
    mounts(place.results, "--bind", str(place.results))
    mounts(place.results, "-o", "remount,ro,bind")
    run = place.run("results_table")
    assert run.returncode != 0
    assert any("results/local: cannot be written" in line for line in errors(run.stdout))
    mounts(place.results, "-o", "remount,rw,bind")
    place.finish("results_table")
    place.check_like(quiet)
