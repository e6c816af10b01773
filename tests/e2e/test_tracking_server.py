"""A shared MLflow server on SQLite: many concurrent writers, and outages."""

import multiprocessing
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from songnet.features.fma518 import columns
from songnet.io import read_json, write_json
from songnet.models import baselines
from songnet.tracking.live import LiveRun
from songnet.tracking.store import initialise
from songnet.tracking.upload import upload_runs
from tests.conftest import Snakemake, config, copy_finished
from tests.e2e.mlflow_server import MLflowServer

EPOCHS = 10
WRITERS = 8
MODEL = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "features": "mfcc"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLflowServer]:
    """Share one server between the tests below, in their order; the first one starts it."""
    folder = tmp_path_factory.mktemp("server")
    server = MLflowServer(folder, folder / "server.db")
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo the client's settings after each test, and allow a busy machine time to answer."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")


def write_run(folder: Path, seed: int) -> None:
    """Write the files of a finished run with unique values."""
    features = np.random.default_rng(seed).normal(size=(24, 140)).astype("float32")
    genres = pd.Series(np.tile(["Folk", "Rock"], 12))
    subsets = pd.Series(["train"] * 16 + ["validation"] * 8)
    table = pd.DataFrame(features, columns=columns(("mfcc",)))
    baseline, _ = baselines.fit_baseline(MODEL, table, genres, subsets, seed=seed)
    folder.mkdir(parents=True)
    baselines.save(baseline, folder / "model.joblib")
    history(seed).to_csv(folder / "history.csv", index=False)
    pd.DataFrame({"track_id": [1]}).to_parquet(folder / "predictions.parquet")
    scores = {
        "accuracy": seed / 100, "macro_f1": 0.5, "log_loss": 0.7, "ci_low": 0, "ci_high": 1,
        "genres": {"Folk": {"f1": 0.5}, "Rock": {"f1": 0.5}}, "confusion": [[4, 0], [0, 4]],
    }  # fmt: skip
    metrics = {"genre_names": ["Folk", "Rock"], "validation": scores, "test": scores}
    write_json(folder / "metrics.json", metrics)
    record = {
        "dataset": "shared", "protocol": "artist", "split_seed": 1, "model": "knn", "seed": seed,
        "title": "k nearest neighbours", "family": "baseline", **MODEL, "key": f"{seed:016x}",
        "source": "x", "commit": "y", "archives": {}, "versions": {},
    }  # fmt: skip
    write_json(folder / "params.json", record)


def history(seed: int) -> pd.DataFrame:
    epochs = np.arange(1, EPOCHS + 1)
    accuracies = seed + epochs / 100
    return pd.DataFrame({"epoch": epochs, "seconds": 1.0, "validation_accuracy": accuracies})


def train_and_upload(uri: str, experiment: str, folder: Path, barrier: Any) -> None:
    """Log a training and upload it, concurrently with other processes."""
    record = read_json(folder / "params.json")
    barrier.wait(120)
    rows = history(record["seed"]).to_dict("records")
    with LiveRun(experiment, record) as live:
        for epochs in range(1, len(rows) + 1):
            live.log_epochs(rows[:epochs])
    assert not live._given_up
    upload_runs(uri, "shared", [folder])


def runs_of(uri: str, experiment: str) -> list[Any]:
    """Return all runs of an experiment except the parents of invocations."""
    mlflow.set_tracking_uri(uri)
    runs = mlflow.search_runs(experiment_names=[experiment], output_format="list")
    return [run for run in runs if "mlflow.parentRunId" in run.data.tags]


def accuracies(run_id: str) -> list[tuple[int, float]]:
    """Return MLflow's steps and values of a run's validation accuracy."""
    history = mlflow.MlflowClient().get_metric_history(run_id, "validation/accuracy")
    return [(metric.step, metric.value) for metric in history]


@pytest.fixture
def untrained(finished: Path, tmp_path: Path) -> Path:
    """Create a project with everything that a training needs, and an empty MLflow store."""
    project = copy_finished(finished, tmp_path / "untrained")
    shutil.rmtree(project / "results/local/runs/artist/crnn")
    return project


def test_server_down_keeps_training_and_uploads_later(
    server: MLflowServer, untrained: Path, archives: Path, snakemake: Snakemake
) -> None:
    """The server is down around the training; the next run uploads everything once."""
    project = untrained
    settings = config(archives, models="[crnn]", protocols="[artist]", seeds="[1]")
    goal = [*settings, "--", "results/local/mlflow/runs.json"]
    assert server.process is None
    run = snakemake(project, *goal, MLFLOW_TRACKING_URI=server.uri)
    assert run.returncode != 0
    message = f"error: MLFLOW_TRACKING_URI: {server.uri} cannot be used"
    assert message in run.stdout and "Traceback" not in run.stdout
    model = project / "results/local/runs/artist/crnn/1/model.safetensors"
    trained = model.stat().st_mtime_ns
    server.start()
    for _ in range(2):
        run = snakemake(project, *goal, MLFLOW_TRACKING_URI=server.uri)
        assert run.returncode == 0, run.stdout[-3000:]
    assert "Nothing to be done" in run.stdout
    (uploaded,) = runs_of(server.uri, "local")
    assert uploaded.info.status == "FINISHED" and "test/accuracy" in uploaded.data.metrics
    assert model.stat().st_mtime_ns == trained
    assert not (project / "mlflow.db").exists()


def test_live_run_receives_epochs_of_training(
    server: MLflowServer, untrained: Path, archives: Path, snakemake: Snakemake
) -> None:
    """The training itself logs its epochs; no other rule runs."""
    project = untrained
    server.start()
    experiment = initialise(server.uri, "watched") | {"live_after": 0}
    write_json(project / "results/local/mlflow/experiment.json", experiment)
    settings = config(archives, models="[crnn]", protocols="[artist]", seeds="[1]")
    folder = "results/local/runs/artist/crnn/1"
    goal = [*settings, "--", f"{folder}/model.safetensors"]
    run = snakemake(project, *goal, MLFLOW_TRACKING_URI=server.uri)
    assert run.returncode == 0, run.stdout[-3000:]
    (watched,) = runs_of(server.uri, "watched")
    assert watched.info.status == "FINISHED" and "test/accuracy" not in watched.data.metrics
    trained = pd.read_csv(project / folder / "history.csv")[["epoch", "validation_accuracy"]]
    assert accuracies(watched.info.run_id) == list(trained.itertuples(index=False, name=None))


def test_parallel_writers_lose_no_metrics(server: MLflowServer, tmp_path: Path) -> None:
    folders = [tmp_path / f"runs/artist/knn/{seed}" for seed in range(1, WRITERS + 1)]
    for seed, folder in enumerate(folders, 1):
        write_run(folder, seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.e2e.test_tracking_server", "skops.io", "mlflow.sklearn"])
    server.start()
    experiment = str(tmp_path / "experiment.json")
    write_json(experiment, initialise(server.uri, "shared") | {"live_after": 0})
    barrier = context.Barrier(WRITERS)
    writers = [
        context.Process(target=train_and_upload, args=(server.uri, experiment, folder, barrier))
        for folder in folders
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(300)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    runs = {int(run.data.params["seed"]): run for run in runs_of(server.uri, "shared")}
    assert len(runs_of(server.uri, "shared")) == WRITERS
    for seed in range(1, WRITERS + 1):
        run = runs[seed]
        assert (run.info.run_name, run.info.status) == (f"knn · artist · {seed}", "FINISHED")
        assert run.data.metrics["test/accuracy"] == seed / 100
        sent = [*enumerate(history(seed)["validation_accuracy"], 1), (EPOCHS, seed / 100)]
        assert sorted(accuracies(run.info.run_id)) == sorted(sent)
        files = {file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
        assert files >= {"params.json", "history.csv", "metrics.json", "confusion.png"}
    logged = mlflow.search_logged_models([runs[1].info.experiment_id], output_format="list")
    assert len(logged) == WRITERS


def test_server_lost_during_training_gets_run_later(server: MLflowServer, tmp_path: Path) -> None:
    folder = tmp_path / "runs/artist/knn/1"
    write_run(folder, 1)
    rows = history(1).to_dict("records")
    server.start()
    experiment = str(tmp_path / "experiment.json")
    write_json(experiment, initialise(server.uri, "dying") | {"live_after": 0})
    live = LiveRun(experiment, read_json(folder / "params.json"))
    live.log_epochs(rows[:1])
    server.stop()
    for epochs in range(2, len(rows) + 1):
        live.log_epochs(rows[:epochs])
    server.start()
    first = upload_runs(server.uri, "dying", [folder])
    assert upload_runs(server.uri, "dying", [folder]) == first
    (run,) = runs_of(server.uri, "dying")
    steps = sorted(step for step, _ in accuracies(run.info.run_id))
    assert steps == [*range(1, EPOCHS + 1), EPOCHS]
