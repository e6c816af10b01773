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
import torch

from songnet.errors import SongNetError
from songnet.evaluation.metrics import write_evaluation
from songnet.features.fma518 import columns
from songnet.io import read_json, write_json
from songnet.models import baselines
from songnet.models.base import save
from songnet.models.configs import CRNNConfig
from songnet.models.crnn import CRNN
from songnet.models.predictions import prediction_table
from songnet.tracking import upload
from songnet.tracking.live import CURRENT, INVOCATION, PARENT, LiveRun, initialise
from songnet.tracking.upload import upload_runs

DEAD = "http://127.0.0.1:9"  # the discard port: nobody answers


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A finished SVM run."""
    rng = np.random.default_rng(0)
    genres = pd.Series(np.tile(["Folk", "Rock"], 20))
    values = rng.normal(size=(40, 140)) + (genres == "Rock").to_numpy()[:, None]
    features = pd.DataFrame(values, columns=columns(("mfcc",)), dtype="float32")
    subsets = pd.Series(["train"] * 24 + ["validation"] * 8 + ["test"] * 8)
    model = {"estimator": "sklearn.svm.SVC", "features": "mfcc"}
    baseline, history = baselines.fit_baseline(model, features, genres, subsets, seed=1)
    folder = tmp_path / "runs/artist/svm/1"
    folder.mkdir(parents=True)
    baselines.save(baseline, folder / "model.joblib")
    pd.DataFrame([history]).to_csv(folder / "history.csv", index=False)
    judged = features[subsets != "train"]
    predicted, probabilities = baseline.predict(judged)
    facts = {
        "track_id": judged.index,
        "split": subsets[judged.index],
        "genre": genres[judged.index],
    }
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
    first = upload_runs(uri, "tiny", [run_folder])
    assert upload_runs(uri, "tiny", [run_folder]) == first
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
    run_id = upload_runs(uri, "tiny", [run_folder])[str(run_folder)]
    # Another interval, and an upload that was killed while it logged a model.
    metrics = read_json(run_folder / "metrics.json")
    write_json(run_folder / "metrics.json", metrics | {"test": metrics["test"] | {"ci_low": 0.125}})
    client.create_logged_model(experiment_id, name="model", source_run_id=run_id)
    upload_runs(uri, "tiny", [run_folder])
    assert client.get_run(run_id).data.metrics["test/ci_low"] == 0.125
    models = client.search_logged_models([experiment_id])
    assert sorted(str(model.status) for model in models) == ["PENDING", "READY"]
    first = client.get_model_version_by_alias("tiny-artist", "best")
    # Somebody has deleted the model.
    for logged in models:
        client.delete_logged_model(logged.model_id)
    upload_runs(uri, "tiny", [run_folder])
    again = client.get_model_version_by_alias("tiny-artist", "best")
    assert again.run_id == first.run_id and again.source != first.source
    assert mlflow.sklearn.load_model(again.source) is not None


def test_a_training_anew_is_a_run_of_its_own(run_folder: Path, tmp_path: Path) -> None:
    """Whatever brings it about: deleted results, another machine. No old epoch mixes in."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment_id = initialise(uri, "tiny")["experiment_id"]
    write_json(tmp_path / "experiment.json", initialise(uri, "tiny"))
    client = mlflow.MlflowClient(uri)
    epochs = [{"epoch": i, "seconds": 40.0, "validation_accuracy": i / 20} for i in range(1, 13)]
    pd.DataFrame(epochs).to_csv(run_folder / "history.csv", index=False)
    first = upload_runs(uri, "tiny", [run_folder])[str(run_folder)]
    anew = [epoch | {"validation_accuracy": 0.9} for epoch in epochs[:8]]
    LiveRun(tmp_path / "experiment.json", record()).log_epochs(anew[:2])
    pd.DataFrame(anew).to_csv(run_folder / "history.csv", index=False)
    with (run_folder / "model.joblib").open("ab") as file:
        file.write(b"\0")
    second = upload_runs(uri, "tiny", [run_folder])[str(run_folder)]
    assert first != second
    curve = client.get_metric_history(second, "validation/accuracy")
    assert [metric.step for metric in curve] == [*range(1, 9), 8]
    assert {metric.value for metric in curve[:8]} == {0.9}
    assert len(client.get_metric_history(first, "validation/accuracy")) == 13
    named = client.search_runs([experiment_id], "attributes.run_name LIKE 'svm%'")
    current = {run.info.run_id: run.data.tags[CURRENT] for run in named}
    assert current == {first: "false", second: "true"}
    best = client.get_model_version_by_alias("tiny-artist", "best")
    assert (best.run_id, int(best.version)) == (second, 2)


def test_two_machines_of_one_configuration_have_a_run_each(
    run_folder: Path, tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment_id = initialise(uri, "tiny")["experiment_id"]
    other = shutil.copytree(run_folder, tmp_path / "other/runs/artist/svm/1")
    with (other / "model.joblib").open("ab") as file:  # its weights differ a little
        file.write(b"\0")
    folders = [run_folder, other]
    first, second = ([*upload_runs(uri, "tiny", [folder]).values()] for folder in folders)
    assert first != second
    again = [[*upload_runs(uri, "tiny", [folder]).values()] for folder in folders]
    assert again == [first, second]
    runs = mlflow.MlflowClient(uri).search_runs([experiment_id], "attributes.run_name LIKE 'svm%'")
    assert len(runs) == 2


def test_an_archive_may_have_any_name(run_folder: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    initialise(uri, "tiny")
    write_json(run_folder / "params.json", record() | {"archives": {"mels-a+b (1).npz": "z"}})
    (run_id,) = upload_runs(uri, "tiny", [run_folder]).values()
    assert mlflow.MlflowClient(uri).get_run(run_id).data.tags["sha1/mels-a_b _1_.npz"] == "z"


def test_a_run_tells_when_and_on_what_it_was_trained(run_folder: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    initialise(uri, "tiny")
    pd.DataFrame([{"epoch": 1, "seconds": 7200.0, "validation_accuracy": 0.5}]).to_csv(
        run_folder / "history.csv", index=False
    )
    os.utime(run_folder / "history.csv", (1_700_000_000, 1_700_000_000))
    data = {"genres": ["Folk", "Rock"], "split": {"train": 0.6}, "tracks_per_genre": None}
    write_json(run_folder / "params.json", record() | {"data": data})
    client = mlflow.MlflowClient(uri)
    run = client.get_run(upload_runs(uri, "tiny", [run_folder])[str(run_folder)])
    assert (run.info.start_time, run.info.end_time) == (1_699_992_800_000, 1_700_000_000_000)
    assert run.data.params["data.genres"] == "['Folk', 'Rock']"
    assert run.data.params["data.split.train"] == "0.6"
    parent = client.get_run(run.data.tags[PARENT])
    upload_runs(uri, "tiny", [run_folder])
    assert client.get_run(parent.info.run_id).info.end_time == parent.info.end_time


def test_a_training_that_fails_is_marked(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment = initialise(uri, "tiny")
    write_json(tmp_path / "experiment.json", experiment)
    client = mlflow.MlflowClient(uri)
    epochs = [{"epoch": 1, "seconds": 100.0, "validation_accuracy": 0.5}]
    for error, status in ((ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")):
        live = LiveRun(tmp_path / "experiment.json", record())
        with pytest.raises(error), live:
            live.log_epochs(epochs)
            (run,) = client.search_runs([experiment["experiment_id"]], "params.model = 'svm'")
            assert run.info.status == "RUNNING"
            raise error
        assert client.get_run(run.info.run_id).info.status == status


def test_a_training_that_ends_awaits_its_upload_as_finished(
    run_folder: Path, tmp_path: Path
) -> None:
    """Trained by `snakemake crnn`, which uploads nothing: no training is left as running."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    epochs = [{"epoch": 1, "seconds": 100.0, "validation_accuracy": 0.5}]
    live = LiveRun(tmp_path / "experiment.json", record())
    with live:
        live.log_epochs(epochs)  # the job that writes experiment.json is not through yet
        experiment = initialise(uri, "tiny")
        write_json(tmp_path / "experiment.json", experiment)
        live.log_epochs(epochs)
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([experiment["experiment_id"]], "params.model = 'svm'")
    assert run.info.status == "FINISHED"
    assert upload_runs(uri, "tiny", [run_folder]) == {str(run_folder): run.info.run_id}


def test_an_upload_that_broke_off_after_the_model_is_completed(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment_id = initialise(uri, "tiny")["experiment_id"]
    client = mlflow.MlflowClient(uri)
    log_model = upload._log_model

    def breaks(*given: Any) -> None:
        log_model(*given)
        raise mlflow.MlflowException("the connection is gone")

    with monkeypatch.context() as patch:
        patch.setattr(upload, "_log_model", breaks)
        with pytest.raises(SongNetError, match="the connection is gone"):
            upload_runs(uri, "tiny", [run_folder])
    (broken,) = client.search_runs([experiment_id], "params.model = 'svm'")
    assert upload_runs(uri, "tiny", [run_folder]) == {str(run_folder): broken.info.run_id}
    assert client.get_run(broken.info.run_id).info.status == "FINISHED"


def test_a_part_of_the_models_does_not_take_the_alias(run_folder: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    initialise(uri, "tiny")
    client = mlflow.MlflowClient(uri)
    metrics = read_json(run_folder / "metrics.json")
    folders = [run_folder.parents[1] / model / "1" for model in ("svm", "knn")]
    shutil.copytree(folders[0], folders[1])

    def set_run(folder: Path, accuracy: float, **changes: Any) -> None:
        kept = metrics["validation"] | {"accuracy": accuracy}
        write_json(folder / "metrics.json", metrics | {"validation": kept})
        name = folder.parent.name
        write_json(folder / "params.json", record() | {"model": name, "key": name} | changes)

    def best() -> str:
        run_id = client.get_model_version_by_alias("tiny-artist", "best").run_id
        return str(client.get_run(run_id).data.params["model"])

    set_run(folders[0], 0.9)
    set_run(folders[1], 0.6)
    upload_runs(uri, "tiny", folders)
    assert best() == "svm"
    upload_runs(uri, "tiny", folders[1:])
    assert best() == "svm"
    set_run(folders[1], 0.95)
    upload_runs(uri, "tiny", folders[1:])
    assert best() == "knn"
    # What needs metadata does so only where nothing else stands: MLflow's model has none.
    set_run(folders[0], 0.99, key="richer", parameters={"metadata": True})
    upload_runs(uri, "tiny", folders)
    assert best() == "knn"
    # What is better on other data is no better model, of other archives neither.
    set_run(folders[0], 0.8, key="others", archives={"a.zip": "another"})
    upload_runs(uri, "tiny", folders[:1])
    assert best() == "svm"
    set_run(folders[1], 0.75, key="theirs", archives={"a.zip": "the third"})
    upload_runs(uri, "tiny", folders[1:])
    assert best() == "knn"
    set_run(folders[0], 0.7, key="other", data={"genres": ["Folk"]})
    upload_runs(uri, "tiny", folders[:1])
    assert best() == "svm"
    set_run(folders[1], 0.6, key="elsewhere", dataset="other", data={"genres": ["Folk"]})
    upload_runs(uri, "tiny", folders[1:])
    assert best() == "knn"


def test_data_sets_that_share_an_experiment_stand_beside_each_other(
    run_folder: Path, tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    runs = {}
    for dataset in ("tiny", "other"):
        write_json(run_folder / "params.json", record() | {"dataset": dataset, "key": dataset})
        runs[dataset] = upload_runs(uri, "shared", [run_folder])[str(run_folder)]
    client = mlflow.MlflowClient(uri)
    assert len(set(runs.values())) == 2
    assert all(client.get_run(run).data.tags[CURRENT] == "true" for run in runs.values())


def test_live_epochs_can_be_left_out(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment = initialise(uri, "tiny", live=False)
    write_json(tmp_path / "experiment.json", experiment)
    epochs = [{"epoch": 1, "seconds": 100.0, "validation_accuracy": 0.5}]
    LiveRun(tmp_path / "experiment.json", record()).log_epochs(epochs)
    assert not mlflow.MlflowClient(uri).search_runs([experiment["experiment_id"]])


def test_a_refused_experiment_is_no_traceback(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise mlflow.MlflowException("PERMISSION_DENIED: only admins may")

    monkeypatch.setattr(mlflow.MlflowClient, "create_experiment", refuses)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert initialise(uri, "tiny")["experiment_id"] is None
    with pytest.raises(SongNetError, match="lets you not write to the experiment tiny"):
        upload_runs(uri, "tiny", [run_folder])


def test_a_copied_store_is_not_written_to_the_other_folder(
    run_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "copy").mkdir()
    names = ("tiny", "Müsik klein")
    for name in names:
        initialise("sqlite:///mlflow.db", name)  # from the present folder
    # An experiment that somebody made elsewhere on purpose is none of ours.
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.create_experiment("own", artifact_location=(tmp_path / "elsewhere").as_uri())
    assert initialise(client.tracking_uri, "own")["experiment_id"] is not None
    shutil.copy(tmp_path / "mlflow.db", tmp_path / "copy/mlflow.db")
    for name in names:
        uri = f"sqlite:///{tmp_path / 'copy/mlflow.db'}"
        assert initialise(uri, name)["experiment_id"] is None
        with pytest.raises(SongNetError, match=r"copy/mlflow\.db belongs to another folder: .*; m"):
            upload_runs(uri, name, [run_folder])
        uri = f"sqlite:///{tmp_path / 'copy/new.db'}"
        upload_runs(uri, name, [run_folder])
        assert not (tmp_path / "mlartifacts").exists()
        assert list((tmp_path / "copy/mlartifacts" / name).iterdir())


def test_a_moved_store_finds_its_files(run_folder: Path, tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    name = "Müsik klein"
    upload_runs(f"sqlite:///{before}/mlflow.db", name, [run_folder])
    before.rename(after)
    uri = f"sqlite:///{after}/mlflow.db"
    assert initialise(uri, name)["experiment_id"] is not None
    (run_id,) = upload_runs(uri, name, [run_folder]).values()
    client = mlflow.MlflowClient(uri)
    run = client.get_run(run_id)
    assert Path(client.download_artifacts(run_id, "params.json")).exists()
    mlflow.set_tracking_uri(uri)
    assert mlflow.pyfunc.load_model(f"models:/{name}-{run_folder.parts[-3]}@best") is not None
    assert run.info.artifact_uri.startswith(after.as_uri())
    assert not before.exists()


def test_a_store_that_is_no_database_is_named(run_folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "mlflow.db"
    store.write_bytes(b"garbage" * 1000)
    uri = f"sqlite:///{store}"
    assert initialise(uri, "tiny")["experiment_id"] is None
    with pytest.raises(SongNetError, match=f"^{store}: not an MLflow store, .*; move it away; the"):
        upload_runs(uri, "tiny", [run_folder])


def test_live_epochs_are_completed_not_doubled(run_folder: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    write_json(tmp_path / "experiment.json", initialise(uri, "tiny"))
    history = [{"epoch": i, "seconds": 60, "validation_accuracy": i / 2} for i in (1, 2)]
    LiveRun(tmp_path / "experiment.json", record()).log_epochs(history[:1])
    pd.DataFrame(history).to_csv(run_folder / "history.csv", index=False)
    run_id = upload_runs(uri, "tiny", [run_folder])[str(run_folder)]
    steps = mlflow.MlflowClient(uri).get_metric_history(run_id, "validation/accuracy")
    # Each epoch once, then the epoch that was kept.
    kept = read_json(run_folder / "metrics.json")["validation"]["accuracy"]
    assert [(metric.step, metric.value) for metric in steps] == [(1, 0.5), (2, 1.0), (2, kept)]


def test_a_short_training_is_not_watched(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment = initialise(uri, "tiny")
    write_json(tmp_path / "experiment.json", experiment)
    live = LiveRun(tmp_path / "experiment.json", record())
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
    monkeypatch.setenv(INVOCATION, "2026-01-01 00:00:00")  # both uploads are of one
    initialise(uri, "tiny")

    def breaks(*_: object, **__: object) -> None:
        raise mlflow.MlflowException("the connection is gone")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "log_batch", breaks)
        with pytest.raises(SongNetError, match=r"cannot be reached \(the connection is gone\)"):
            upload_runs(uri, "tiny", [run_folder])
    run_id = upload_runs(uri, "tiny", [run_folder])[str(run_folder)]
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
        upload_runs(uri, "tiny", [run_folder])


def test_a_dead_server_costs_no_training(run_folder: Path, tmp_path: Path) -> None:
    epochs = [{"epoch": 1.0, "seconds": 100.0}]
    experiment = initialise(DEAD, "tiny")
    assert experiment["experiment_id"] is None
    write_json(tmp_path / "experiment.json", experiment)
    LiveRun(tmp_path / "experiment.json", record()).log_epochs(epochs)
    with pytest.raises(SongNetError, match="MLFLOW_TRACKING_URI: http://127"):
        upload_runs(DEAD, "tiny", [run_folder])
    assert len(list(run_folder.iterdir())) == 5


def test_a_server_that_was_down_at_first_shows_trainings_later(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    experiment = initialise(uri, "tiny")
    write_json(tmp_path / "experiment.json", experiment | {"experiment_id": None})
    epochs = [{"epoch": 1, "seconds": 100.0, "validation_accuracy": 0.5}]
    LiveRun(tmp_path / "experiment.json", record()).log_epochs(epochs)
    runs = mlflow.MlflowClient(uri).search_runs(
        [experiment["experiment_id"]], "attributes.run_name LIKE 'svm%'"
    )
    assert [run.data.metrics["validation/accuracy"] for run in runs] == [0.5]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (401, "MLFLOW_TRACKING_USERNAME and _PASSWORD: refused"),
        (403, "not write to the experiment tiny: .* the config key tracking.experiment"),
    ],
)
def test_a_wrong_password_and_a_foreign_experiment_are_named(
    run_folder: Path, code: int, message: str
) -> None:
    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(code)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(SongNetError, match=message):
            upload_runs(uri, "tiny", [run_folder])
        server.shutdown()


@pytest.mark.parametrize(
    ("code", "message"),
    [(413, "refuses a part .413 Client Error"), (403, "lets you not write"),
     (502, "cannot be reached")],
)  # fmt: skip
def test_a_file_that_the_server_refuses_is_named(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    """Files go another way than figures: past proxies with limits, by requests."""

    class Refuses(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.send_error(code)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/api/2.0/mlflow-artifacts/artifacts"
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        mlflow.MlflowClient(uri).create_experiment("tiny", artifact_location=address)
        with pytest.raises(SongNetError, match=message):
            upload_runs(uri, "tiny", [run_folder])
        server.shutdown()


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables, which take seconds to make."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(autouse=True)
def fluent_state(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's fluent functions keep their server; each test has its own."""
    shutil.copy(empty_store, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert "MLFLOW_DISABLE_TELEMETRY" in os.environ
    shutil.rmtree("mlruns", ignore_errors=True)


def test_a_network_in_mlflow_hears_files(
    run_folder: Path, trained: Path, clips: Path, tmp_path: Path
) -> None:
    from songnet.realtime.classify import classify_file
    from songnet.realtime.stream import load_model

    bundle = load_model(trained)
    (run_folder / "model.joblib").unlink()
    shutil.copy(trained, run_folder / "model.safetensors")
    network = {"family": "crnn", "network": "causal_crnn"}
    write_json(
        run_folder / "params.json",
        record() | network | {"spectrogram": bundle.facts["spectrogram"]},
    )
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    initialise(uri, "tiny")
    upload_runs(uri, "tiny", [run_folder])
    client = mlflow.MlflowClient(uri)
    (model,) = client.search_logged_models([client.get_experiment_by_name("tiny").experiment_id])
    (tmp_path / "noise.mp3").write_bytes(b"no music")
    files = [str(sorted(clips.glob("Rock*.mp3"))[0]), str(tmp_path / "noise.mp3")]
    found = mlflow.pyfunc.load_model(model.model_uri).predict(pd.DataFrame({"file": files}))
    expected = classify_file(bundle, files[0])
    assert expected.prediction is not None and expected.probabilities is not None
    assert found["prediction"][0] == expected.prediction.genre
    np.testing.assert_allclose(
        found.loc[0, bundle.genres].astype(float), list(expected.probabilities.values()), atol=1e-6
    )
    assert found["error"][1].startswith("not decodable")


@pytest.mark.parametrize("frames", [128, 646])
def test_a_network_that_hears_no_files_takes_spectrograms_of_any_length(
    run_folder: Path, tmp_path: Path, frames: int
) -> None:
    torch.manual_seed(2)
    network = CRNN(CRNNConfig(64, 2, 43.07, channels=[8, 8, 8], hidden=8)).eval()
    (run_folder / "model.joblib").unlink()
    save(network, ["Folk", "Rock"], {}, run_folder / "model.safetensors")
    described = {"family": "crnn", "network": "crnn", "spectrogram": None}
    write_json(run_folder / "params.json", record() | described)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    initialise(uri, "tiny")
    upload_runs(uri, "tiny", [run_folder])
    mel = np.random.default_rng(3).normal(-40, 10, (3, 64, frames)).astype(np.float32)
    found = mlflow.pyfunc.load_model("models:/tiny-artist@best").predict(mel)
    with torch.inference_mode():
        expected = network(torch.from_numpy(mel)).clip_logits[:, -1].exp().numpy()
    np.testing.assert_allclose(found[["Folk", "Rock"]], expected, atol=1e-6)
    assert found["prediction"].tolist() == [["Folk", "Rock"][i] for i in expected.argmax(axis=1)]


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
    run_id = upload_runs(uri, "tiny", [run_folder])[str(run_folder)]
    client = mlflow.MlflowClient(uri)
    shown = client.get_run(run_id).data.metrics
    assert (shown["validation/accuracy"], shown["train/seconds"]) == (0.9, 2)
    version = client.get_model_version_by_alias("tiny-artist", "best")
    assert version.run_id == run_id
    loaded = mlflow.pyfunc.load_model("models:/tiny-artist@best")
    assert set(loaded.predict(np.zeros((2, 140), np.float32))) <= {"Folk", "Rock"}
    # The same best run needs no second version.
    upload_runs(uri, "tiny", [run_folder])
    assert len(client.search_model_versions("name = 'tiny-artist'")) == 1
