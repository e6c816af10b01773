"""A small run of the whole workflow, through the code of the large ones, and what follows it."""

import json
import random
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file

from songnet.evaluation.tables import COLUMNS
from songnet.models.base import load
from tests.conftest import (
    GENRES,
    Snakemake,
    config,
    copy_finished,
    planned_jobs,
    processes,
    small,
    start_snakemake,
)

TOY = '''"""The nearest neighbour alone."""

from sklearn.neighbors import KNeighborsClassifier


class Nearest(KNeighborsClassifier):
    """k nearest neighbours with k = 1."""

    def __init__(self):
        super().__init__(n_neighbors=1)
'''
ENTRY = """
toy: {title: toy, family: baseline, estimator: songnet.toy.Nearest, features: mfcc, seeded: false}
"""


def test_results_folder_has_all_products(finished: Path) -> None:
    results = finished / "results/local"
    tracks = pd.read_parquet(results / "tracks.parquet")
    assert len(tracks) == 36 and set(tracks["genre"]) == set(GENRES)
    quarantine = pd.read_csv(results / "quarantine.csv")
    assert sorted(reason.split(":")[0] for reason in quarantine["reason"]) == [
        "byte-identical to fma_small/000/000005.mp3", "empty file", "not decodable", "too short",
        "too short",
    ]  # fmt: skip
    index = pd.read_parquet(results / "mel/index.parquet")
    for name, rows in index.groupby("file"):
        shard = np.load(results / "mel" / str(name), mmap_mode="r")
        assert shard.dtype == np.float16 and shard.shape == (len(shard), 128, 1292)
        assert rows["row"].max() < len(shard)
    assert pd.read_parquet(results / "features/fma.parquet").shape == (36, 518)
    table = pd.read_csv(results / "report/results.csv")
    assert list(table.columns) == COLUMNS
    assert len(table) == 3 * 8
    assert table["accuracy"].between(0, 1).all()
    assert (table["ci_low"] <= table["accuracy"]).all() and (
        table["accuracy"] <= table["ci_high"]
    ).all()
    runs = {"svm_518": 1, "crnn": 2, "causal_crnn": 2, "fusion_518": 2, "ensemble": 1}
    for model, count in runs.items():
        assert table.set_index("model").loc[model, "seeds"].tolist() == [count] * 3
    page = (results / "report/results.md").read_text()
    assert "artist leak" in page
    # The poster's figures are of other genres.
    assert table["poster_accuracy"].isna().all() and "65.32" not in page
    for protocol in ("random", "artist", "official"):
        for model in ("random_guess", "knn", "svm_518", "crnn"):
            figure = results / f"report/confusion/{protocol}/{model}.svg"
            assert figure.read_text().startswith("<svg ")


def test_analysis_pages_show_best_network(finished: Path) -> None:
    report = finished / "results/local/report"
    best = load(finished / "results/local/best.safetensors")
    assert best.facts["protocol"] == "artist"
    assert best.facts["model"] == "causal_crnn"  # of the three the one that needs only music
    card = (finished / "results/local/best.md").read_text()
    assert f"{best.facts['measured']['accuracy']:.1%}".replace("%", " %") in card
    models = yaml.safe_load((finished / "config/models.yaml").read_text())
    for name, heading in [("analysis", "Error analysis"), ("filters", "Filters")]:
        page = (report / f"{name}.html").read_text()
        assert heading in page and models[best.facts["model"]]["title"] in page
        assert "data:audio/mpeg;base64," in page and "data:image/png;base64," in page
        assert 'src="http' not in page and "<link" not in page and "<script src" not in page
    excerpts = pd.read_csv(report / "excerpts.csv")
    assert set(excerpts["model"]) == {"crnn", "causal_crnn", "crnn_metadata"}
    assert set(excerpts["protocol"]) == {"random", "artist", "official"}
    # Whole clips have the accuracies of the results table.
    figures = ["protocol", "model", "accuracy", "ci_low", "ci_high"]
    whole = excerpts[excerpts["seconds"] == 30][figures].set_index(figures[:2])
    table = pd.read_csv(report / "results.csv")[figures].set_index(figures[:2])
    pd.testing.assert_frame_equal(whole, table.loc[whole.index])


def test_splits_artist_and_official_keep_artists_apart(finished: Path) -> None:
    results = finished / "results/local"
    tracks = pd.read_parquet(results / "tracks.parquet")
    for protocol in ("artist", "official"):
        subsets = pd.read_parquet(results / f"splits/{protocol}.parquet").set_index("track_id")[
            "split"
        ]
        assert (subsets.groupby(tracks["artist_id"]).nunique() == 1).all()


def test_run_folders_have_all_files(finished: Path) -> None:
    for run in (finished / "results/local/runs").glob("*/*/*"):
        names = {path.name for path in run.iterdir()}
        kind = run.parent.name
        model = "model.safetensors" if "crnn" in kind else "model.joblib"
        model = "model.json" if kind in ("fusion_518", "ensemble") else model
        assert names == {"params.json", "history.csv", "predictions.parquet", "metrics.json", model}
        predictions = pd.read_parquet(run / "predictions.parquet")
        assert set(predictions["split"]) == {"validation", "test"}
        np.testing.assert_allclose(predictions[sorted(GENRES)].sum(axis=1), 1, atol=1e-4)
    assert not list((finished / "results/local/checkpoints").glob("*"))


def test_mlflow_store_has_every_run(finished: Path) -> None:
    client = mlflow.MlflowClient(f"sqlite:///{finished / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("local")
    everything = client.search_runs([experiment.experiment_id])
    (parent,) = (run for run in everything if "mlflow.parentRunId" not in run.data.tags)
    assert parent.info.run_name.startswith("workflow · ") and parent.info.status == "FINISHED"
    runs = [run for run in everything if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {parent.info.run_id}
    assert len(runs) == 3 * (2 + 1 + 1 + 2 + 2 + 2 + 2 + 1)
    names = {run.info.run_name: run for run in runs}
    network = names["crnn · artist · 2"]
    assert network.info.status == "FINISHED"
    epochs = client.get_metric_history(network.info.run_id, "validation/accuracy")
    assert [metric.step for metric in epochs] == [1, 2, 3, 4, 4]  # then the kept one
    metrics = json.loads((finished / "results/local/runs/artist/crnn/2/metrics.json").read_text())
    shown = {"train/seconds", "validation/accuracy", "test/accuracy", "test/f1/Rock"}
    assert all(shown <= set(run.data.metrics) for run in runs)
    accuracy = metrics["validation"]["accuracy"]
    assert network.data.metrics["validation/accuracy"] == pytest.approx(accuracy)
    for protocol in ("random", "artist", "official"):
        best = client.get_model_version_by_alias(f"local-{protocol}", "best")
        assert names[client.get_run(best.run_id).info.run_name].data.params["protocol"] == protocol
    assert network.data.metrics["test/accuracy"] == pytest.approx(metrics["test"]["accuracy"])
    assert network.data.params["training.crop_seconds"] == "10.0"
    assert {"git_commit", "sha1/fma_small.zip"} <= set(network.data.tags)
    artifacts = {file.path for file in client.list_artifacts(network.info.run_id)}
    assert "confusion.png" in artifacts
    fusions = 3 * (2 + 1)
    assert len(client.search_logged_models([experiment.experiment_id])) == len(runs) - fusions


def test_second_run_has_nothing_to_do(finished: Path, archives: Path, snakemake: Snakemake) -> None:
    run = snakemake(finished, *config(archives))
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout


def test_deleted_mlflow_store_is_filled_again(
    finished: Path, archives: Path, snakemake: Snakemake
) -> None:
    store = finished / "mlflow.db"
    away = store.rename(finished / "away.db")
    try:
        run = snakemake(finished, "-n", *config(archives))
    finally:
        away.rename(store)
    assert set(planned_jobs(run.stdout)) == {"log_runs", "all"}


def test_other_tracking_server_reruns_uploads_only(
    finished: Path, archives: Path, snakemake: Snakemake
) -> None:
    page = finished / "results/local/report/results.md"
    away = page.rename(finished / "results.md")
    server = "http://127.0.0.1:9"
    settings = config(archives, tracking="{live: false}")
    try:
        run = snakemake(finished, "-n", *settings, MLFLOW_TRACKING_URI=server)
    finally:
        away.rename(page)
    planned = planned_jobs(run.stdout)
    assert {"init_tracking", "log_runs", "results_table"} <= set(planned)
    assert not {"train_crnn", "train_svm_518"} & set(planned)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("report/markdown", {"results_table"}),
        ("report/cells", {"results_table", "report_page"}),
        ("report/page", {"report_page"}),
        ("report/figures", {"figures", "log_runs"}),
        ("features/fma518", {"fma_features_shard", "fma_features", "train_svm_518"}),
        ("features/mel", {"mel_shard", "index_tracks", "split_tracks", "train_crnn"}),
        ("features/audio", {"mel_shard", "fma_features_shard", "train_crnn", "train_svm_518"}),
        ("data/shard_writer", {"mel_shard", "index_tracks", "train_crnn"}),
        ("evaluation/metrics", {"evaluate_crnn", "evaluate_knn", "collect_results"}),
        ("tracking/store", {"init_tracking", "log_runs"}),
        ("data/precomputed_mels", set()),
        ("demo/synthesis", set()),
    ],
)
def test_source_edit_reruns_dependent_rules(
    finished: Path, archives: Path, snakemake: Snakemake, module: str, expected: set[str]
) -> None:
    path = finished / f"src/songnet/{module}.py"
    text = path.read_text()
    path.write_text(text + "\nEDITED = True\n")
    try:
        run = snakemake(finished, "-n", *config(archives))
    finally:
        path.write_text(text)
    assert run.returncode == 0, run.stdout[-3000:]
    planned = planned_jobs(run.stdout)
    assert expected <= set(planned)
    upstream = {
        "select_tracks",
        "mel_shard",
        "index_tracks",
        "fma_features_shard",
        "train_svm_518",
        "train_crnn",
    }
    if module.startswith(("report/", "tracking/", "demo/", "evaluation/")):
        assert not upstream & set(planned)
    if not expected:
        assert not planned and "Nothing to be done" in run.stdout
    if module == "report/markdown":
        assert set(planned) == {"results_table", "report_page", "all"}
    if module == "report/page":
        assert set(planned) == {"report_page", "all"}


def test_comments_and_messages_rerun_nothing(
    finished: Path, archives: Path, snakemake: Snakemake
) -> None:
    # A module that all jobs use, and the script of one rule.
    paths = [finished / "src/songnet/io.py", finished / "workflow/scripts/train_crnn.py"]
    texts = [path.read_text() for path in paths]
    assert "expected {right}" in texts[0]
    for path, text in zip(paths, texts, strict=True):
        text = text.replace('"""', '"""Truly: ', 1).replace("expected {right}", "not {right}")
        path.write_text(text + "\n# said\n")
    try:
        run = snakemake(finished, "-n", *config(archives))
    finally:
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
    assert "Nothing to be done" in run.stdout


def test_other_title_reruns_no_training(
    finished: Path, archives: Path, snakemake: Snakemake
) -> None:
    path = finished / "config/models.yaml"
    text = path.read_text()
    assert "title: causal C-RNN" in text
    path.write_text(text.replace("title: causal C-RNN", "title: another name"))
    try:
        planned = planned_jobs(snakemake(finished, "-n", *config(archives)).stdout)
    finally:
        path.write_text(text)
    assert "results_table" in planned
    assert not [rule for rule in planned if rule.startswith(("train_", "evaluate_"))]


def test_split_settings_rerun_affected_trainings_only(
    finished: Path, archives: Path, snakemake: Snakemake
) -> None:
    shares = config(archives, split="{train: 0.6, validation: 0.2, test: 0.2}")
    planned = planned_jobs(snakemake(finished, "-n", *shares).stdout)
    # Three networks with two seeds, in `random` and `artist`; `official` has shares of its own.
    assert planned["split_tracks"] == 2 and planned["train_crnn"] == 12
    seeds = config(archives, split_seeds="[2,1]")
    planned = planned_jobs(snakemake(finished, "-n", *seeds).stdout)
    assert planned["split_tracks"] == 2 and planned["train_crnn"] == 12
    seeds = config(archives, split_seeds="[2]")
    plan = snakemake(finished, "-n", *seeds).stdout
    assert "runs/artist-2/" in plan and "output: results/local/runs/artist/" not in plan


def test_own_model_needs_one_file_and_one_entry(
    finished: Path, tmp_path: Path, archives: Path, snakemake: Snakemake
) -> None:
    project = copy_finished(finished, tmp_path / "own")
    (project / "src/songnet/toy.py").write_text(TOY)
    with (project / "config/models.yaml").open("a") as file:
        file.write(ENTRY)
    metrics = "results/local/runs/artist/toy/1/metrics.json"
    settings = ["--config", "models=[toy]", "dataset=local", f"archives={archives}"]
    run = snakemake(project, *settings, "--", metrics)
    assert run.returncode == 0, run.stdout[-5000:]
    assert "Jobs run: evaluate_toy, train_toy." in run.stdout
    found = json.loads((project / metrics).read_text())
    assert found["test"]["accuracy"] > 1 / 3  # better than guessing
    with (project / "src/songnet/toy.py").open("a") as file:
        file.write("\nEDITED = True\n")
    assert "rule train_toy" in snakemake(project, "-n", *settings, "--", metrics).stdout


def test_killed_training_resumes_bit_for_bit(
    tmp_path: Path, archives: Path, snakemake: Snakemake, finished: Path
) -> None:
    """Killed at random moments, three times over: the weights are those of a quiet training."""
    project = copy_finished(finished, tmp_path / "killed")
    small(project, epochs=20)
    model = project / "results/local/runs/artist/causal_crnn/1/model.safetensors"
    command = [*config(archives), "--", str(model.relative_to(project))]
    quiet = snakemake(project, *command)
    assert quiet.returncode == 0, quiet.stdout[-5000:]
    expected = load_file(model)
    epochs = len(pd.read_csv(model.with_name("history.csv")))
    rng = random.Random(1)
    model.unlink()
    for _ in range(3):
        kill_a_training(project, command, rng)
        assert not model.exists()
        # A name with a dot in front is a checkpoint that the kill left half-written.
        checkpoints = list((project / "results/local/checkpoints").glob("[!.]*.pt"))
        assert len(checkpoints) == 1
    resumed = snakemake(project, *command)
    assert resumed.returncode == 0, resumed.stdout[-5000:]
    assert len(pd.read_csv(model.with_name("history.csv"))) == epochs
    for name, tensor in load_file(model).items():
        assert torch.equal(tensor, expected[name]), name


def kill_a_training(project: Path, command: list[str], rng: random.Random) -> None:
    """Start the workflow and kill -9 its training at a random moment after its next epoch."""
    workflow = start_snakemake(project, "--cores", "1", *command)
    begun = time.time()
    folder = project / "results/local/checkpoints"
    while not any(path.stat().st_mtime > begun for path in folder.glob("[!.]*.pt")):
        assert workflow.poll() is None, "the training ended before it could be killed"
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 0.5))
    while not (trainings := processes(workflow, "train_crnn")):  # others come and go meanwhile
        assert workflow.poll() is None, "the training ended before it could be killed"
    trainings[-1].kill()
    assert workflow.wait(120) != 0


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the kernel does not tell its locks")
def test_training_that_outlives_snakemake_runs_once(
    tmp_path: Path, archives: Path, finished: Path
) -> None:
    project = copy_finished(finished, tmp_path / "outlived")
    small(project, epochs=20)
    model = project / "results/local/runs/artist/causal_crnn/1/model.safetensors"
    command = ["--cores", "1", *config(archives), "--", str(model.relative_to(project))]
    first = start_snakemake(project, *command)
    checkpoints = project / "results/local/checkpoints"
    while not list(checkpoints.glob("[!.]*.pt")):
        assert first.poll() is None, "the training ended before Snakemake could be killed"
        time.sleep(0.02)
    (training,) = processes(first, "train_crnn")
    training.suspend()  # so that it does not end before the second begins
    first.kill()
    first.wait()
    assert start_snakemake(project, "--unlock", *command).wait() == 0
    second = start_snakemake(project, *command)
    while not any(map(waits_for_a_lock, processes(second, "train_crnn"))):
        assert second.poll() is None, "it did not wait for the first training"
        time.sleep(0.02)
    training.resume()
    training.wait(600)
    outputs = [model.with_name(name) for name in ("history.csv", model.name, "params.json")]
    made = [path.stat().st_mtime_ns for path in outputs]
    assert second.wait(600) == 0
    assert [path.stat().st_mtime_ns for path in outputs] == made
    assert len(pd.read_csv(outputs[0])) == 20
    assert not list(checkpoints.iterdir())


def waits_for_a_lock(process: psutil.Process) -> bool:
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(lock[1] == "->" and lock[5] == str(process.pid) for lock in locks)
