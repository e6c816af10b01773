"""Shared fixtures: small archives in FMA's layout, a copy of the project to run in."""

import os

# Before NumPy and torch are loaded: workers of pytest-xdist share the cores, and threads that wait
# for each other take ten times the processor time.
os.environ["OMP_NUM_THREADS"] = "1"

import contextlib
import io
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import yaml
from filelock import FileLock
from studies.project import copy_project

from songnet.data.batches import Subset
from songnet.data.fma_zip import member_name
from songnet.data.shards import MelShards
from songnet.data.tracks import read_tracks
from songnet.demo.archives import make_demo
from songnet.errors import UnusableClipError
from songnet.features.audio import decode, resample
from songnet.features.mel import MelSpectrogram
from songnet.features.spectrogram import describe
from songnet.io import write_json
from songnet.models.base import save
from songnet.models.causal_crnn import CausalCRNN
from songnet.models.configs import CausalCRNNConfig
from songnet.training.config import TrainingConfig
from songnet.training.loop import train_network

ROOT = Path(__file__).parent.parent
GENRES = ["Rock", "Folk", "Electronic"]
MODELS = "[random_guess,knn,svm_518,crnn,causal_crnn,crnn_metadata,fusion_518,ensemble]"


@pytest.fixture(scope="session", autouse=True)
def data_directory(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A data directory of the tests' own; runs of the workflow inherit it."""
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes first: a worker that got one last would work on alone."""
    folders = ["workflow", "e2e", "faults", "unit"]
    longest = ("test_end_to_end", "test_slurm")
    items.sort(key=lambda i: (i.path.stem not in longest, folders.index(i.path.parent.name)))


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A path that the first worker of pytest-xdist that needs it makes, for all of them."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    made = root / f"{name}.made"
    with FileLock(root / f"{name}.lock"):
        if not made.exists():
            shutil.rmtree(root / name, ignore_errors=True)  # of a worker that failed
            make(root / name)
            made.touch()
    return root / name


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fma_metadata.zip and fma_small.zip: 3 genres, 6 artists and 12 tracks each."""

    def make(folder: Path) -> None:
        zips = folder / "fma_metadata.zip", folder / "fma_small.zip"
        make_demo(*zips, GENRES, 12, 6, seed=7, workers=2)

    return once(tmp_path_factory, "archives", make)


@pytest.fixture(scope="session")
def clips(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sound clips of the archive as files: <genre>-<track_id>.mp3."""
    return once(tmp_path_factory, "clips", partial(unpack_clips, archives))


def unpack_clips(archives: Path, folder: Path) -> None:
    """Write the sound clips of an archive to a new folder."""
    folder.mkdir()
    tracks = read_tracks(str(archives / "fma_metadata.zip"))
    with zipfile.ZipFile(archives / "fma_small.zip") as archive:
        for track_id, genre in tracks["genre"].items():
            name = member_name("small", track_id)
            content = archive.read(name) if name in archive.namelist() else b""
            with contextlib.suppress(UnusableClipError):
                decode(io.BytesIO(content), min_seconds=25)
                (folder / f"{genre}-{track_id}.mp3").write_bytes(content)


@pytest.fixture(scope="session")
def trained(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a small network that has learned the clips; examples stand beside it."""
    return once(tmp_path_factory, "trained", partial(train_on, clips)) / "best.safetensors"


def train_on(clips: Path, folder: Path) -> None:
    """Train a small network on clips, in a new folder."""
    folder.mkdir()
    config = MelSpectrogram(n_mels=64)
    files = sorted(clips.glob("*.mp3"))
    genres = sorted(GENRES)
    mels = [
        config.offline(resample(decode(io.BytesIO(file.read_bytes())), 22_050)) for file in files
    ]
    frames = min(mel.shape[1] for mel in mels)
    np.save(folder / "000.npy", np.stack([mel[:, :frames] for mel in mels]).astype(np.float16))
    index = pd.DataFrame(
        {"file": "000.npy", "row": range(len(mels)), "frames": frames,
         "seconds": frames * config.hop_length / config.sample_rate}
    )  # fmt: skip
    shards = MelShards(folder, index)
    labels = np.array([genres.index(file.stem.partition("-")[0]) for file in files])
    subset = Subset(np.arange(len(mels)), labels, np.full((len(mels), 3), np.nan, np.float32))
    torch.manual_seed(1)
    network = CausalCRNN(
        CausalCRNNConfig(64, 3, shards.frames_per_second, [8, 12, 16], features=16, hidden=16)
    )
    training = TrainingConfig(
        epochs=4,
        batch_size=16,
        min_steps_per_epoch=16,
        crop_seconds=5,
        learning_rate=5e-3,
        ema_decay=0.9,
    )
    history = train_network(network, shards, subset, subset, training, 1, folder / "checkpoint.pt")
    assert max(row["validation_accuracy"] for row in history) > 0.8
    measured = {"subset": "test", "accuracy": 0.9, "ci_low": 0.8, "ci_high": 1.0, "tracks": 30}
    facts = {
        "model": "causal_crnn", "title": "causal C-RNN", "dataset": "tests", "protocol": "artist",
        "dataset_title": "clips of the tests", "note": "The music is synthetic.",
        "spectrogram": describe(config), "measured": measured,
    }  # fmt: skip
    save(network, genres, facts, folder / "best.safetensors")
    (folder / "examples").mkdir()
    shutil.copy(files[0], folder / "examples/clip.mp3")
    example = {"file": "clip.mp3", "genre": files[0].stem.partition("-")[0], "title": "A: b",
               "licence": "c", "credit": "A: b · c"}  # fmt: skip
    write_json(folder / "examples/examples.json", [example])


def small(project: Path, epochs: int = 4) -> Path:
    """Let networks train for a few epochs and the data sets have few shards."""
    path = project / "config/datasets.yaml"
    table = yaml.safe_load(path.read_text())
    training = {"epochs": epochs, "min_steps_per_epoch": 0}
    table["local"].update(shards=3, training=training)
    table["local_mels"].update(shards=2, training=training)
    table["folder"].update(training=training)
    path.write_text(yaml.safe_dump(table, sort_keys=False))
    return project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh copy of the project."""
    return copy_project(tmp_path / "project")


Snakemake = Callable[..., subprocess.CompletedProcess[str]]


def inherited(**environment: str) -> dict[str, str]:
    """Environment of a run; MLflow leaves the server of an earlier test in that of the tests."""
    return {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"} | environment


def start_snakemake(
    folder: Path, *arguments: str, output: str = os.devnull, **environment: str
) -> subprocess.Popen[str]:
    """Start `snakemake` in a folder; its streams go to a file there."""
    with (folder / output).open("w") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *arguments], cwd=folder, text=True,
            env=inherited(**environment), stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip


@pytest.fixture(scope="session")
def snakemake() -> Snakemake:
    """Run `snakemake` in a folder; output and error streams come back together."""

    def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *arguments], cwd=folder, text=True,
            env=inherited(**environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=1800,
        )  # fmt: skip

    return run


def processes(workflow: subprocess.Popen[Any], rule: str) -> list[psutil.Process]:
    """Processes of a run of Snakemake that execute the script of a rule."""
    try:
        children = psutil.Process(workflow.pid).children(recursive=True)
        return [p for p in children if any(word.endswith(f".{rule}.py") for word in p.cmdline())]
    except psutil.Error:  # one of them has just ended
        return []


def config(archives: Path, **settings: str) -> list[str]:
    """Arguments of a small run; settings change or add keys."""
    values = {"dataset": "local", "archives": str(archives), "models": MODELS, "seeds": "[1,2]"}
    return ["--config", *(f"{key}={value}" for key, value in (values | settings).items())]


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, archives: Path, snakemake: Snakemake
) -> Path:
    """A project folder after a complete run; test_end_to_end alone may change it for a while."""
    return once(tmp_path_factory, "finished", partial(run_everything, archives, snakemake))


def run_everything(archives: Path, snakemake: Snakemake, project: Path) -> None:
    """Run the whole workflow in a new copy of the project."""
    small(copy_project(project))
    run = snakemake(project, *config(archives))
    assert run.returncode == 0, run.stdout[-5000:]
    assert "test accuracy in %" in run.stdout
    assert run.stdout.count("Report, to open in a browser: results/local/report/index.html") == 1
    assert re.search(r"Jobs run: \d+ by \d+ rules. Skipped as up to date: 0", run.stdout)
    assert len(list(project.glob("results/local/runs/*/*crnn*/*/metrics.json"))) == 18


def copy_finished(finished: Path, project: Path) -> Path:
    """Copy a finished run, without its MLflow; a test may just be editing its code."""
    left = shutil.ignore_patterns("mlflow.db*", "mlartifacts", "mlflow")
    shutil.copytree(finished, project, symlinks=True, ignore=left)
    shutil.copytree(ROOT / "src", project / "src", dirs_exist_ok=True)
    return project


def planned_jobs(output: str) -> dict[str, int]:
    """Job counts of a dry run."""
    table = output.partition("Job stats:")[2].partition("total")[0].splitlines()[3:]
    return {line.split()[0]: int(line.split()[1]) for line in table if line.strip()}
