"""MLflow gets what the files hold, once, whenever it can be reached."""

import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from songnet import baselines
from songnet.errors import SongNetError
from songnet.evaluation import prediction_table, write_evaluation
from songnet.files import read_json, write_json
from songnet.fma_features import columns
from songnet.tracking import PARENT, LiveRun, initialise
from songnet.uploads import upload_runs

DEAD = "http://127.0.0.1:9"  # the discard port: nobody answers


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A finished SVM run."""
    rng = np.random.default_rng(0)
    genres = pd.Series(np.tile(["Folk", "Rock"], 20))
    values = rng.normal(size=(40, 140)) + (genres == "Rock").to_numpy()[:, None]
    features = pd.DataFrame(values, columns=columns(("mfcc",)), dtype="float32")
    parts = pd.Series(["train"] * 24 + ["validation"] * 8 + ["test"] * 8)
    model = {"estimator": "sklearn.svm.SVC", "features": "mfcc"}
    baseline, history = baselines.fit_baseline(model, features, genres, parts, seed=1)
    folder = tmp_path / "runs/artist/svm/1"
    folder.mkdir(parents=True)
    baselines.save(baseline, folder / "model.joblib")
    pd.DataFrame([history]).to_csv(folder / "history.csv", index=False)
    judged = features[parts != "train"]
    predicted, probabilities = baseline.predict(judged)
    facts = {"track_id": judged.index, "split": parts[judged.index], "genre": genres[judged.index]}
    table = prediction_table(pd.DataFrame(facts), predicted, probabilities, baseline.genres)
    artists = pd.Series(np.arange(40))
    files = folder / "predictions.parquet", folder / "metrics.json"
    write_evaluation(*files, table, artists, resamples=100, confidence=0.95)
    write_json(folder / "params.json", record())
    return folder


def record() -> dict[str, Any]:
    return {
        "dataset": "tiny", "protocol": "artist", "split_seed": 1, "model": "svm", "seed": 1,
        "title": "SVM", "family": "baseline", "estimator": "sklearn.svm.SVC", "features": "mfcc",
        "key": "0123456789abcdef", "source": "x", "commit": "y", "archives": {"a.zip": "z"},
        "versions": {},
    }  # fmt: skip


def test_uploads_once(run_folder: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert initialise(uri, "tiny")["experiment_id"] is not None
    first = upload_runs(uri, "tiny", [run_folder], {})
    assert upload_runs(uri, "tiny", [run_folder], {}) == first
    client = mlflow.MlflowClient(uri)
    experiment_id = client.get_experiment_by_name("tiny").experiment_id
    runs = client.search_runs([experiment_id], "attributes.run_name LIKE 'svm%'")
    parent = client.get_run(runs[0].data.tags["mlflow.parentRunId"])
    assert parent.info.run_name.startswith("workflow · ") and parent.info.status == "FINISHED"
    assert [run.info.run_name for run in runs] == ["svm · artist · 1"]
    assert runs[0].info.status == "FINISHED"
    assert {"test/accuracy", "test/f1/Rock", "validation/accuracy"} <= set(runs[0].data.metrics)
    model = client.search_logged_models([runs[0].info.experiment_id])[0]
    loaded = mlflow.sklearn.load_model(model.model_uri)
    assert set(loaded.predict(np.zeros((3, 140), np.float32))) <= {"Folk", "Rock"}


def test_what_has_changed_is_uploaded_again(run_folder: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment_id = initialise(uri, "tiny")["experiment_id"]
    client = mlflow.MlflowClient(uri)
    run_id = upload_runs(uri, "tiny", [run_folder], {})[str(run_folder)]
    # Another interval, and an upload that was killed while it logged a model.
    metrics = read_json(run_folder / "metrics.json")
    write_json(run_folder / "metrics.json", metrics | {"test": metrics["test"] | {"ci_low": 0.125}})
    client.create_logged_model(experiment_id, name="model", source_run_id=run_id)
    upload_runs(uri, "tiny", [run_folder], {})
    assert client.get_run(run_id).data.metrics["test/ci_low"] == 0.125
    models = client.search_logged_models([experiment_id])
    assert sorted(str(model.status) for model in models) == ["PENDING", "READY"]
    first = client.get_model_version_by_alias("tiny-artist", "best")
    # Another model.
    with (run_folder / "model.joblib").open("ab") as file:
        file.write(b"\0")
    upload_runs(uri, "tiny", [run_folder], {})
    second = client.get_model_version_by_alias("tiny-artist", "best")
    assert (int(first.version), int(second.version)) == (1, 2)
    assert first.run_id == second.run_id and first.source != second.source


def test_live_epochs_are_completed_not_doubled(run_folder: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    write_json(tmp_path / "experiment.json", initialise(uri, "tiny"))
    history = [{"epoch": i, "seconds": 1, "validation_accuracy": i / 2} for i in (1, 2)]
    LiveRun(str(tmp_path / "experiment.json"), record(), True, after=1).log_epochs(history[:1])
    pd.DataFrame(history).to_csv(run_folder / "history.csv", index=False)
    run_id = upload_runs(uri, "tiny", [run_folder], {})[str(run_folder)]
    steps = mlflow.MlflowClient(uri).get_metric_history(run_id, "validation/accuracy")
    # Each epoch once, then the epoch that was kept.
    kept = read_json(run_folder / "metrics.json")["validation"]["accuracy"]
    assert [(metric.step, metric.value) for metric in steps] == [(1, 0.5), (2, 1.0), (2, kept)]


def test_a_short_training_is_not_watched(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment = initialise(uri, "tiny")
    write_json(tmp_path / "experiment.json", experiment)
    live = LiveRun(str(tmp_path / "experiment.json"), record(), enabled=True)
    history = [{"epoch": i, "seconds": 25, "validation_accuracy": i / 4} for i in (1, 2, 3)]
    client = mlflow.MlflowClient(uri)
    for epochs, sent in ((1, []), (2, []), (3, [1, 2, 3])):
        live.log_epochs(history[:epochs])
        runs = client.search_runs([experiment["experiment_id"]], "attributes.run_name LIKE 'svm%'")
        steps = [
            metric.step
            for run in runs
            for metric in client.get_metric_history(run.info.run_id, "validation/accuracy")
        ]
        assert steps == sent


def test_a_run_that_broke_off_while_it_was_opened_is_completed(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    initialise(uri, "tiny")

    def breaks(*_: object, **__: object) -> None:
        raise mlflow.MlflowException("the connection is gone")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "log_batch", breaks)
        with pytest.raises(SongNetError, match=r"cannot be reached \(the connection is gone\)"):
            upload_runs(uri, "tiny", [run_folder], {})
    run_id = upload_runs(uri, "tiny", [run_folder], {})[str(run_folder)]
    client = mlflow.MlflowClient(uri)
    data = client.get_run(run_id).data
    assert PARENT in data.tags and data.params["model"] == "svm"
    everything = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    assert len(everything) == 2  # the run and its parent


def test_a_deleted_experiment_is_named(run_folder: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment = initialise(uri, "tiny")
    mlflow.MlflowClient(uri).delete_experiment(experiment["experiment_id"])
    assert initialise(uri, "tiny")["experiment_id"] is None
    with pytest.raises(SongNetError, match="experiment tiny is deleted; it comes back by"):
        upload_runs(uri, "tiny", [run_folder], {})


def test_a_dead_server_costs_no_training(run_folder: Path, tmp_path: Path) -> None:
    epochs = [{"epoch": 1.0, "seconds": 100.0}]
    experiment = initialise(DEAD, "tiny")
    assert experiment["experiment_id"] is None
    write_json(tmp_path / "experiment.json", experiment)
    LiveRun(str(tmp_path / "experiment.json"), record(), True).log_epochs(epochs)
    with pytest.raises(SongNetError, match="MLFLOW_TRACKING_URI: http://127"):
        upload_runs(DEAD, "tiny", [run_folder], {})
    assert len(list(run_folder.iterdir())) == 5


def test_a_server_that_was_down_at_first_shows_trainings_later(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment = initialise(uri, "tiny")
    write_json(tmp_path / "experiment.json", experiment | {"experiment_id": None})
    epochs = [{"epoch": 1, "seconds": 100.0, "validation_accuracy": 0.5}]
    LiveRun(str(tmp_path / "experiment.json"), record(), True).log_epochs(epochs)
    runs = mlflow.MlflowClient(uri).search_runs(
        [experiment["experiment_id"]], "attributes.run_name LIKE 'svm%'"
    )
    assert [run.data.metrics["validation/accuracy"] for run in runs] == [0.5]


def test_a_wrong_password_is_named(run_folder: Path) -> None:
    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(SongNetError, match="MLFLOW_TRACKING_USERNAME and _PASSWORD: refused"):
            upload_runs(uri, "tiny", [run_folder], {})
        server.shutdown()


@pytest.fixture(autouse=True)
def fluent_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's fluent functions keep their server; each test has its own."""
    monkeypatch.chdir(tmp_path)
    assert "MLFLOW_DISABLE_TELEMETRY" in os.environ
    shutil.rmtree("mlruns", ignore_errors=True)


def test_a_network_in_mlflow_hears_files(
    run_folder: Path, trained: Path, clips: Path, tmp_path: Path
) -> None:
    from songnet.classify import classify_file
    from songnet.realtime import load_model

    bundle = load_model(trained)
    (run_folder / "model.joblib").unlink()
    shutil.copy(trained, run_folder / "model.safetensors")
    network = {"family": "crnn", "network": "songnet.causal_crnn.CausalCRNN"}
    write_json(run_folder / "params.json", record() | network | {"mel": bundle.facts["mel"]})
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    initialise(uri, "tiny")
    upload_runs(uri, "tiny", [run_folder], {})
    client = mlflow.MlflowClient(uri)
    (model,) = client.search_logged_models([client.get_experiment_by_name("tiny").experiment_id])
    (tmp_path / "noise.mp3").write_bytes(b"no music")
    files = [str(sorted(clips.glob("Rock*.mp3"))[0]), str(tmp_path / "noise.mp3")]
    found = mlflow.pyfunc.load_model(model.model_uri).predict(pd.DataFrame({"file": files}))
    expected = classify_file(bundle, files[0])
    assert expected.verdict is not None and expected.probabilities is not None
    assert found["verdict"][0] == expected.verdict.genre
    np.testing.assert_allclose(
        found.loc[0, bundle.genres].astype(float), list(expected.probabilities.values()), atol=1e-6
    )
    assert found["error"][1].startswith("not decodable")


def test_the_table_shows_the_kept_epoch(run_folder: Path, tmp_path: Path) -> None:
    history = [
        {"epoch": i, "seconds": 1, "validation_accuracy": a} for i, a in [(1, 0.9), (2, 0.4)]
    ]
    pd.DataFrame(history).to_csv(run_folder / "history.csv", index=False)
    metrics = read_json(run_folder / "metrics.json")
    kept = metrics["validation"] | {"accuracy": 0.9}
    write_json(run_folder / "metrics.json", metrics | {"validation": kept})
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    initialise(uri, "tiny")
    run_id = upload_runs(uri, "tiny", [run_folder], {})[str(run_folder)]
    client = mlflow.MlflowClient(uri)
    shown = client.get_run(run_id).data.metrics
    assert (shown["validation/accuracy"], shown["train/seconds"]) == (0.9, 2)
    version = client.get_model_version_by_alias("tiny-artist", "best")
    assert version.run_id == run_id
    loaded = mlflow.pyfunc.load_model("models:/tiny-artist@best")
    assert set(loaded.predict(np.zeros((2, 140), np.float32))) <= {"Folk", "Rock"}
    # The same best run needs no second version.
    upload_runs(uri, "tiny", [run_folder], {})
    assert len(client.search_model_versions("name = 'tiny-artist'")) == 1
