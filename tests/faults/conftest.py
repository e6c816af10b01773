"""Places to do damage in, and the matrix of cases that `make faults` writes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmarks.workflow import copy_project

from tests.conftest import Snakemake, small
from tests.faults.matrix import Case, write_matrix

SETTINGS = ["models=[knn,causal_crnn]", "protocols=[artist]", "seeds=[1]"]
# What does not depend on how often a run was disturbed; all else follows from it.
ANSWERS = ["tracks.parquet", "quarantine.csv", "report/results.csv", "report/confusions.csv",
           "runs/artist/knn/1/predictions.parquet",
           "runs/artist/causal_crnn/1/predictions.parquet"]  # fmt: skip


EVALUATED = ["runs/*/causal_crnn/1/metrics.json", "runs/*/causal_crnn/1/predictions.parquet"]
PRODUCTS = {
    "spectrograms": ["mel/*", "tracks.parquet", "quarantine.csv", "features/*", "splits/*", "runs",
                     "report"],
    "features": ["features/*", "runs/artist/knn", "report"],
    "splits": ["splits/*", "runs", "report"],
    "training": ["runs/artist/causal_crnn", "report"],
    "evaluation": [*EVALUATED, "report"],
    "table": ["report/results.md"],
    "figures": ["report/accuracy.png"],
    "page": ["report/analysis.html"],
    "upload": ["mlflow/artist.json"],
}  # fmt: skip


class Place:
    """A copy of the project with archives of its own, where a run can be disturbed."""

    def __init__(self, project: Path, archives: Path, snakemake: Snakemake) -> None:
        self.project, self.archives, self.snakemake = project, archives, snakemake
        self.results = project / "results/local"

    def arguments(self, *arguments: str) -> list[str]:
        """Arguments of a run."""
        settings = [*SETTINGS, "dataset=local", f"archives={self.archives}"]
        return ["--config", *settings, "--", *arguments]

    def run(self, *targets: str) -> subprocess.CompletedProcess[str]:
        """Run the workflow to its end."""
        return self.snakemake(self.project, *self.arguments(*targets))

    def start(self, *targets: str) -> subprocess.Popen[str]:
        """Begin a run; its output is in the file `output`."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *self.arguments(*targets)]
        inherited = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        with (self.project / "output").open("w") as file:
            return subprocess.Popen(
                command, cwd=self.project, env=inherited, stdout=file, stderr=subprocess.STDOUT,
                text=True,
            )  # fmt: skip

    def output(self) -> str:
        """What the last run that was started has said."""
        return (self.project / "output").read_text()

    def remove(self, stage: str) -> None:
        """Remove the products of a stage, and of those behind it that need them."""
        for pattern in PRODUCTS[stage]:
            for path in self.results.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def answers(self) -> dict[str, pd.DataFrame]:
        """The results, without what measures time."""
        tables = {}
        for name in ANSWERS:
            path = self.results / name
            if path.exists():
                table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
                tables[name] = table.drop(columns="train_seconds", errors="ignore")
        return tables

    def shards(self) -> dict[str, Any]:
        """The spectrograms."""
        return {path.name: np.load(path) for path in sorted((self.results / "mel").glob("*.npy"))}

    def check_like(self, other: "Place") -> None:
        """Fail unless the results are those of an undisturbed run, and nothing half lies about."""
        ours, theirs = self.answers(), other.answers()
        assert set(ours) == set(theirs)
        for name, table in ours.items():
            pd.testing.assert_frame_equal(table, theirs[name], check_exact=True, obj=name)
        for name, shard in self.shards().items():
            np.testing.assert_array_equal(shard, other.shards()[name], err_msg=name)
        assert not [path for path in self.results.rglob(".*") if ".part" in path.name]


def errors(output: str) -> list[str]:
    """Lines for people; a traceback is none."""
    assert "Traceback" not in output, output[-4000:]
    return [line for line in output.splitlines() if "songnet: error: " in line]


@pytest.fixture(scope="session")
def quiet(request: pytest.FixtureRequest, snakemake: Snakemake) -> Place:
    """An undisturbed run, or the one that ``--quiet-run`` keeps."""
    kept = request.config.getoption("--quiet-run")
    folder = kept or request.getfixturevalue("tmp_path_factory").mktemp("quiet")
    place = Place(folder / "project", folder / "archives", snakemake)
    if not place.project.exists():
        shutil.copytree(request.getfixturevalue("archives"), place.archives)
        small(copy_project(place.project), epochs=3)
        run = place.run()
        assert run.returncode == 0, run.stdout[-5000:]
    assert set(place.answers()) == set(ANSWERS)
    return place


@pytest.fixture
def place(tmp_path: Path, quiet: Place) -> Place:
    """A copy of the undisturbed run; `archives` are shared until a case copies them."""
    project = tmp_path / "project"
    subprocess.run(["cp", "-a", str(quiet.project), str(project)], check=True)
    return Place(project, quiet.archives, quiet.snakemake)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, archives: Path, snakemake: Snakemake) -> Place:
    """An undisturbed run as far as the data: a copy of it takes seconds."""
    project = small(copy_project(tmp_path_factory.mktemp("made") / "project"))
    place = Place(project, archives, snakemake)
    run = place.run("data")
    assert run.returncode == 0, run.stdout[-4000:]
    return place


@pytest.fixture
def empty(tmp_path: Path, archives: Path, snakemake: Snakemake) -> Place:
    """A project before its first run, with archives of its own."""
    shutil.copytree(archives, tmp_path / "archives")
    return Place(small(copy_project(tmp_path / "project")), tmp_path / "archives", snakemake)


@pytest.fixture
def mounts() -> Iterator[Any]:
    """Mount file systems; they are gone after the test."""
    done: list[Path] = []

    def mount(folder: Path, *arguments: str) -> None:
        command = ["mount", *arguments, str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
            pytest.skip("mounting needs root")
        if folder not in done:
            done.append(folder)

    yield mount
    for folder in reversed(done):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# --- the matrix ---------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quiet-run", type=Path, help="folder that keeps the undisturbed run")
    parser.addoption("--matrix", type=Path, help="folder that gets faults.md and its figure")


CASES: list[Case] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: Any = yield
    if report.when == "call" or report.skipped:
        group = str(item.module.__doc__).partition(":")[0]  # type: ignore[attr-defined]
        reason = report.longrepr[2] if report.skipped else ""
        CASES.append(Case(group, item.name, report.outcome, report.duration, reason))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    folder = session.config.getoption("--matrix")
    if folder and CASES:
        write_matrix(CASES, folder)
