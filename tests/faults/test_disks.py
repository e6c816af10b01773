"""Disk: full or read-only in every stage, then free again."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import Place, errors

RESULTS = "results_table"
# What the line must name, target of the runs.
STAGES = {
    "spectrograms": ("mel/00", RESULTS),
    "features": ("features/", RESULTS),
    "splits": ("splits/artist", RESULTS),
    "training": ("results/local/", RESULTS),
    "evaluation": ("runs/artist/causal_crnn/1/", RESULTS),
    "table": ("report/results.md", RESULTS),
    "figures": ("report/", "results/local/report/accuracy.png"),
    "page": ("report/", "results/local/report/analysis.html"),
}


def fill(folder: Path) -> None:
    """Take all space that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(shutil.disk_usage(folder).free))


def on_disk_of_its_own(place: Place, mounts: Any) -> None:
    """Move the results to a small file system."""
    moved = place.results.with_name("moved")
    place.results.rename(moved)
    place.results.mkdir()
    mounts(place.results, "-t", "tmpfs", "-o", "size=400m", "tmpfs")
    shutil.copytree(moved, place.results, dirs_exist_ok=True)
    shutil.rmtree(moved)


def test_full_disk_while_data_are_made(empty: Place, made: Place, mounts: Any) -> None:
    """The short form, for every `make test`; the results are a small disk from the beginning."""
    empty.results.mkdir(parents=True)
    mounts(empty.results, "-t", "tmpfs", "-o", "size=2m", "tmpfs")
    run = empty.run("data")
    assert run.returncode != 0
    assert any("mel/000.npy: no space left" in line for line in errors(run.stdout)), run.stdout
    assert not list(empty.results.glob("mel/*.npy"))
    mounts(empty.results, "-o", "remount,size=400m")
    assert empty.run("data").returncode == 0
    empty.check_like(made)


@pytest.mark.faults
@pytest.mark.parametrize("stage", STAGES)
def test_full_disk_in_the_stage_of(place: Place, quiet: Place, mounts: Any, stage: str) -> None:
    message, target = STAGES[stage]
    on_disk_of_its_own(place, mounts)
    place.remove(stage)
    fill(place.results)
    run = place.run(target)
    assert run.returncode != 0
    lines = errors(run.stdout)
    assert any("no space left" in line.lower() and message in line for line in lines), run.stdout
    (place.results / "ballast").unlink()
    run = place.run(target)
    assert run.returncode == 0, run.stdout[-4000:]
    place.check_like(quiet)
    assert "Nothing to be done" in place.run(target).stdout


@pytest.mark.faults
def test_full_disk_under_everything(
    place: Place, quiet: Place, mounts: Any, tmp_path: Path
) -> None:
    """Snakemake's own notes and MLflow's store are on the full disk too."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounts(disk, "-t", "tmpfs", "-o", "size=600m", "tmpfs")
    shutil.copytree(place.project, disk / "project", symlinks=True)
    crowded = Place(disk / "project", place.archives, place.snakemake)
    crowded.remove("training")
    fill(disk)
    run = crowded.run()
    assert run.returncode != 0 and "no space left" in run.stdout.lower()
    (disk / "ballast").unlink()
    run = crowded.run()
    if "--unlock" in run.stdout:
        crowded.snakemake(crowded.project, "--unlock", *crowded.arguments())
        run = crowded.run()
    assert run.returncode == 0, run.stdout[-4000:]
    crowded.check_like(quiet)


@pytest.mark.faults
def test_read_only_results(place: Place, quiet: Place, mounts: Any) -> None:
    place.remove("table")
    mounts(place.results, "--bind", str(place.results))
    mounts(place.results, "-o", "remount,ro,bind")
    run = place.run()
    assert run.returncode != 0
    assert any("results/local: may not be written" in line for line in errors(run.stdout))
    mounts(place.results, "-o", "remount,rw,bind")
    run = place.run()
    assert run.returncode == 0, run.stdout[-4000:]
    place.check_like(quiet)
