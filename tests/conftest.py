"""Shared fixtures: small archives in FMA's layout, a copy of the project to run in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from songnet.demo import make_demo

ROOT = Path(__file__).parent.parent
GENRES = ["Rock", "Folk", "Electronic"]


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fma_metadata.zip and fma_small.zip: 3 genres, 6 artists and 12 tracks each."""
    folder = tmp_path_factory.mktemp("archives")
    make_demo(
        folder / "fma_metadata.zip", folder / "fma_small.zip", GENRES, 12, 6, seed=7, workers=2
    )
    return folder


def copy_project(folder: Path) -> Path:
    """Copy what a run needs, so that tests may edit it."""
    for name in ("src", "workflow", "config", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", folder / "Snakefile")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh copy of the project."""
    return copy_project(tmp_path / "project")


Snakemake = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def snakemake() -> Snakemake:
    """Run `snakemake` in a folder; output and error streams come back together."""

    def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        # MLflow leaves the server of an earlier test in the environment.
        inherited = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        return subprocess.run(
            command,
            cwd=folder,
            env=inherited | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )

    return run
