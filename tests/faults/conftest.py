"""Places to do damage in."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from studies.project import copy_project

from songnet.pipeline.provenance import git_commit
from tests.conftest import Snakemake, once, small, start_snakemake

SETTINGS = ["models=[knn,causal_crnn]", "protocols=[artist]", "seeds=[1]"]
RUNS = "results/local/runs/artist"
# What does not depend on how often a run was disturbed; all else follows from it.
ANSWERS = ["tracks.parquet", "quarantine.csv", "report/results.csv", "report/confusions.csv",
           "runs/artist/knn/1/predictions.parquet",
           "runs/artist/causal_crnn/1/predictions.parquet"]  # fmt: skip
# How files end that are whole.
ENDS = {".html": (b"</html>",), ".png": (b"IEND\xaeB`\x82",), ".json": (b"}", b"]"),
        ".svg": (b"</svg>",), ".parquet": (b"PAR1",)}  # fmt: skip


class Place:
    """A copy of the project with archives of its own, where a run can be disturbed."""

    def __init__(self, project: Path, snakemake: Snakemake) -> None:
        self.project, self.snakemake = project, snakemake
        self.archives = project / "archives"
        self.results = project / "results/local"

    def copy(self, folder: Path) -> "Place":
        """Copy everything, dates too, so that nothing seems to have changed."""
        subprocess.run(["cp", "-a", str(self.project), str(folder)], check=True)
        return Place(folder, self.snakemake)

    def arguments(self, *targets: str) -> list[str]:
        """Arguments of a run."""
        return ["--config", *SETTINGS, "dataset=local", "archives=archives", "--", *targets]

    def run(self, *targets: str) -> subprocess.CompletedProcess[str]:
        """Run the workflow as far as it goes."""
        return self.snakemake(self.project, *self.arguments(*targets))

    def finish(self, *targets: str) -> None:
        """Run the workflow to its end; after that there is nothing to do."""
        run = self.run(*targets)
        assert run.returncode == 0, run.stdout[-4000:]
        assert "Nothing to be done" in self.run(*targets).stdout

    def start(self, *targets: str) -> subprocess.Popen[str]:
        """Begin a run; its output is in the file `output`."""
        arguments = ["--cores", "2", *self.arguments(*targets)]
        return start_snakemake(self.project, *arguments, output="output")

    def output(self) -> str:
        """What the last run that was started has said."""
        return (self.project / "output").read_text()

    def unlock(self) -> None:
        """Do what Snakemake says after it was killed."""
        locked = self.run()
        assert locked.returncode != 0 and "--unlock" in locked.stdout
        assert self.snakemake(self.project, "--unlock", *self.arguments()).returncode == 0

    def remove(self, *patterns: str) -> None:
        """Remove products by patterns below the results."""
        for pattern in patterns:
            for path in self.results.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def clear(self) -> None:
        """Remove all that was made, but not what is known of the time that jobs take."""
        self.remove(*(path.name for path in self.results.iterdir() if path.name != "benchmarks"))
        (self.project / "mlflow.db").unlink(missing_ok=True)
        shutil.rmtree(self.project / "mlartifacts", ignore_errors=True)

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
        assert set(self.answers()) == set(other.answers())
        self.check_no_half(other)
        assert not [path for path in self.results.rglob(".*") if ".part" in path.name]

    def check_no_half(self, other: "Place") -> None:
        """Fail unless what is there is as an undisturbed run makes it."""
        theirs = other.answers()
        for name, table in self.answers().items():
            pd.testing.assert_frame_equal(table, theirs[name], check_exact=True, obj=name)
        for name, shard in self.shards().items():
            np.testing.assert_array_equal(shard, other.shards()[name], err_msg=name)
        for path in self.results.rglob("*.*"):
            if path.suffix in ENDS and not path.name.startswith("."):
                assert path.read_bytes().rstrip().endswith(ENDS[path.suffix]), path


def errors(output: str) -> list[str]:
    """Lines for people; a traceback is none."""
    assert "Traceback" not in output, output[-4000:]
    return [line for line in output.splitlines() if "songnet: error: " in line]


def new_place(project: Path, archives: Path, snakemake: Snakemake) -> Place:
    """A project before its first run."""
    place = Place(small(copy_project(project), epochs=3), snakemake)
    shutil.copytree(archives, place.archives)
    return place


@pytest.fixture(scope="session")
def quiet(request: pytest.FixtureRequest, snakemake: Snakemake) -> Place:
    """An undisturbed run, or the one that ``--quiet-run`` keeps."""
    kept = request.config.getoption("--quiet-run", None)
    project = (kept or request.getfixturevalue("tmp_path_factory").mktemp("quiet")) / "project"
    if project.exists():
        place = Place(project, snakemake)
    else:
        place = new_place(project, request.getfixturevalue("archives"), snakemake)
        place.finish()
    assert set(place.answers()) == set(ANSWERS)
    return place


@pytest.fixture
def place(tmp_path: Path, quiet: Place) -> Place:
    """A copy of the undisturbed run."""
    return quiet.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, archives: Path, snakemake: Snakemake) -> Place:
    """An undisturbed run as far as the data."""

    def make(project: Path) -> None:
        run = new_place(project, archives, snakemake).run("data")
        assert run.returncode == 0, run.stdout[-4000:]

    return Place(once(tmp_path_factory, "made", make), snakemake)


@pytest.fixture
def empty(tmp_path: Path, archives: Path, snakemake: Snakemake) -> Place:
    """A project before its first run, with archives of its own."""
    return new_place(tmp_path / "project", archives, snakemake)


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


# --- for the matrix: `python -m tests.faults.matrix` makes it of pytest's JUnit report -----------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quiet-run", type=Path, help="folder that keeps the undisturbed run")


@pytest.fixture(scope="session", autouse=True)
def commit(record_testsuite_property: Callable[[str, object], None]) -> None:
    """Say which code was tried."""
    record_testsuite_property("commit", git_commit())


@pytest.fixture
def cases(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Name a case that a test tries; a test that names none is one case itself."""
    return lambda name: record_property("case", name)
