"""MLflow gets the contents of the result files exactly once, whenever it is available."""

import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

from songnet.errors import SongNetError
from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.metrics import write_evaluation
from songnet.features.fma518 import columns
from songnet.io import read_json, write_json
from songnet.models import baselines
from songnet.models.base import save
from songnet.models.configs import CRNNConfig
from songnet.models.crnn import CRNN
from songnet.models.predictions import prediction_table
from songnet.tracking import upload
from songnet.tracking.live import LiveRun
from songnet.tracking.runs import INVOCATION
from songnet.tracking.store import CURRENT, initialise
from songnet.tracking.upload import upload_runs

DEAD = "http://127.0.0.1:9"  # the discard port, which never answers
EPOCHS = [{"epoch": i, "seconds": 40.0, "validation_accuracy": i / 20} for i in range(1, 7)]
RECORD = {
    "dataset": "tiny", "protocol": "artist", "split_seed": 1, "model": "svm", "seed": 1,
    "title": "SVM", "family": "baseline", "estimator": "sklearn.svm.SVC", "features": "mfcc",
    "data": {"genres": ["Folk", "Rock"], "split": {"train": 0.6}}, "key": "0123456789abcdef",
    "source": "x", "commit": "y", "archives": {"mels-a+b (1).npz": "z"}, "versions": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the files of an SVM run."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    genres = pd.Series(np.tile(["Folk", "Rock"], 20))
    values = rng.normal(size=(40, 140)) + (genres == "Rock").to_numpy()[:, None]
    features = pd.DataFrame(values, columns=columns(("mfcc",)), dtype="float32")
    subsets = pd.Series(["train"] * 24 + ["validation"] * 8 + ["test"] * 8)
    model = {"estimator": "sklearn.svm.SVC", "features": "mfcc"}
    baseline, _ = baselines.fit_baseline(model, features, genres, subsets, seed=1)
    baselines.save(baseline, folder / "model.joblib")
    pd.DataFrame(EPOCHS).to_csv(folder / "history.csv", index=False)
    evaluated = subsets[subsets != "train"].index
    facts = {"track_id": evaluated, "split": subsets[evaluated], "genre": genres[evaluated]}
    predicted = baseline.predict(features.loc[evaluated])
    table = prediction_table(pd.DataFrame(facts), *predicted, baseline.genres)
    files = folder / "predictions.parquet", folder / "metrics.json"
    write_evaluation(*files, table, Bootstrap(pd.Series(range(40)), 100, 0.95))
    write_json(folder / "params.json", RECORD)
    return folder


@pytest.fixture
def run_folder(finished_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished_run, tmp_path / "runs/artist/svm/1")


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables, which take seconds to create."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(autouse=True)
def uri(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of the test's own store, and reset MLflow's, which caches the last one."""
    shutil.copy(empty_store, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(INVOCATION, "2026-01-01 00:00:00")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    return mlflow.get_tracking_uri()


def runs(experiment: str = "tiny") -> list[Any]:
    """Return runs of an experiment without the parents of invocations, the newest first."""
    found = mlflow.search_runs(experiment_names=[experiment], output_format="list")
    return [run for run in found if "mlflow.parentRunId" in run.data.tags]


def accuracies(run_id: str) -> list[tuple[int, float]]:
    history = mlflow.MlflowClient().get_metric_history(run_id, "validation/accuracy")
    return [(metric.step, metric.value) for metric in history]


def change(folder: Path, accuracy: float | None = None, **record: Any) -> None:
    """Change the validation accuracy and the record of a run."""
    metrics = read_json(folder / "metrics.json")
    if accuracy is not None:
        metrics["validation"]["accuracy"] = accuracy
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "params.json", read_json(folder / "params.json") | record)


def train_again(folder: Path) -> None:
    """Change the model file, as another training would."""
    with (folder / "model.joblib").open("ab") as file:
        file.write(b"\0")


def live_run(uri: str, **experiment: Any) -> LiveRun:
    write_json("experiment.json", initialise(uri, "tiny") | experiment)
    return LiveRun("experiment.json", RECORD)


def test_upload_runs_sends_all_files_once(
    run_folder: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(run_folder, 0.125)
    assert upload_runs(uri, "tiny", [run_folder]).keys() == {str(run_folder)}
    (run,) = runs()
    assert (run.info.run_name, run.info.status) == ("svm · artist · 1", "FINISHED")
    assert run.info.end_time == int(1000 * (run_folder / "history.csv").stat().st_mtime)
    assert run.info.end_time - run.info.start_time == 240_000
    params, tags = run.data.params, run.data.tags
    assert (params["model"], params["data.split.train"]) == ("svm", "0.6")
    assert params["data.genres"] == "['Folk', 'Rock']"
    assert (tags["git_commit"], tags["sha1/mels-a_b _1_.npz"], tags[CURRENT]) == ("y", "z", "true")
    assert {"test/accuracy", "test/f1/Rock", "validation/log_loss"} <= set(run.data.metrics)
    # One row per epoch, then that of the kept model, which MLflow's table shows.
    assert accuracies(run.info.run_id) == [*((i, i / 20) for i in range(1, 7)), (6, 0.125)]
    assert (run.data.metrics["validation/accuracy"], run.data.metrics["train/seconds"]) == (
        0.125,
        240,
    )
    files = {file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
    assert files == {
        "params.json", "history.csv", "metrics.json", "predictions.parquet", "confusion.png",
    }  # fmt: skip
    parent = mlflow.get_run(tags["mlflow.parentRunId"])
    assert parent.info.run_name == "workflow · 2026-01-01 00:00:00"
    assert parent.info.status == "FINISHED"
    best = mlflow.sklearn.load_model("models:/tiny-artist@best")
    assert set(best.predict(np.zeros((3, 140), np.float32))) <= {"Folk", "Rock"}
    assert mlflow.models.get_model_info("models:/tiny-artist@best").signature is not None

    for name in ("log_history", "log_model"):
        monkeypatch.delattr(upload, name)
    assert upload_runs(uri, "tiny", [run_folder]) == {str(run_folder): run.info.run_id}
    assert len(mlflow.MlflowClient().search_model_versions("name = 'tiny-artist'")) == 1


def test_upload_runs_sends_what_has_changed(run_folder: Path, uri: str) -> None:
    first = upload_runs(uri, "tiny", [run_folder])
    change(run_folder, 0.125)
    assert upload_runs(uri, "tiny", [run_folder]) == first
    assert runs()[0].data.metrics["validation/accuracy"] == 0.125
    assert len(mlflow.search_logged_models(output_format="list")) == 1


def test_upload_runs_gives_each_training_a_run(run_folder: Path, uri: str) -> None:
    """With the same configuration, after results were deleted or on another machine."""
    other = shutil.copytree(run_folder, Path("other/runs/artist/svm/1"))
    (first,) = upload_runs(uri, "tiny", [run_folder]).values()
    again = [epoch | {"validation_accuracy": 0.9} for epoch in EPOCHS[:3]]
    live_run(uri).log_epochs(again[:2])
    pd.DataFrame(again).to_csv(other / "history.csv", index=False)
    train_again(other)
    (second,) = upload_runs(uri, "tiny", [other]).values()
    assert accuracies(second)[:-1] == [(1, 0.9), (2, 0.9), (3, 0.9)]
    assert len(accuracies(first)) == 7
    assert {run.info.run_id: run.data.tags[CURRENT] for run in runs()} == {
        first: "false", second: "true",
    }  # fmt: skip
    best = mlflow.MlflowClient().get_model_version_by_alias("tiny-artist", "best")
    assert (best.run_id, int(best.version)) == (second, 2)
    assert upload_runs(uri, "tiny", [run_folder]) == {str(run_folder): first}
    assert {run.info.run_id: run.data.tags[CURRENT] for run in runs()}[second] == "false"


@pytest.mark.parametrize(
    "broken", ["log_params", "log_metrics", "log_artifacts", "sklearn.log_model", "search_runs"]
)
def test_upload_runs_completes_what_broke_off(
    run_folder: Path, uri: str, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise mlflow.MlflowException("the connection is gone")

    with monkeypatch.context() as patch:
        patch.setattr(f"mlflow.{broken}", breaks)
        with pytest.raises(SongNetError, match=r"is gone; the results are complete"):
            upload_runs(uri, "tiny", [run_folder])
    begun = [run.info.run_id for run in runs()]
    (run_id,) = upload_runs(uri, "tiny", [run_folder]).values()
    (run,) = runs()
    assert begun in ([], [run_id]) and run.info.status == "FINISHED"
    assert run.data.params["model"] == "svm" and len(run.data.metrics) > 10
    assert len(mlflow.search_runs(experiment_names=["tiny"])) == 2  # the run and its parent
    assert mlflow.pyfunc.load_model("models:/tiny-artist@best") is not None


def test_register_best_compares_runs_of_the_same_data(run_folder: Path, uri: str) -> None:
    folders = {model: run_folder.parents[1] / model / "1" for model in ("svm", "knn")}
    shutil.copytree(folders["svm"], folders["knn"])

    def best(model: str, accuracy: float, **record: Any) -> str:
        """Upload one run, and return the model that then has the alias."""
        key = f"{model}{accuracy}"
        change(folders[model], accuracy, model=model, **{"key": key} | record)
        train_again(folders[model])
        upload_runs(uri, "tiny", [folders[model]])
        run_id = mlflow.MlflowClient().get_model_version_by_alias("tiny-artist", "best").run_id
        return str(mlflow.get_run(run_id).data.params["model"])

    assert best("svm", 0.9) == "svm"
    assert best("knn", 0.6) == "svm"
    assert best("knn", 0.95) == "knn"
    # Networks with metadata are not preferred, since MLflow's model gets none.
    assert best("svm", 0.99, parameters={"metadata": True}) == "knn"
    assert best("svm", 0.8, parameters={}, archives={"a.zip": "other"}) == "svm"
    assert best("knn", 0.7, archives={"a.zip": "third"}) == "knn"
    assert best("svm", 0.6, data={"genres": ["Folk"]}) == "svm"
    assert best("knn", 0.5, dataset="other", data={"genres": ["Folk"]}) == "knn"
    # A data set with another name replaces none.
    current = [run.data.params["dataset"] for run in runs() if run.data.tags[CURRENT] == "true"]
    assert sorted(current) == ["other", "tiny", "tiny"]


def test_live_run_sends_epochs_after_a_minute(uri: str) -> None:
    live = LiveRun("experiment.json", RECORD)
    live.log_epochs(EPOCHS)  # the job that writes experiment.json has not finished
    write_json("experiment.json", initialise(uri, "tiny"))
    live.log_epochs(EPOCHS[:1])
    assert not runs()
    live.log_epochs(EPOCHS[:2])
    live.log_epochs(EPOCHS[:3])
    (run,) = runs()
    assert run.info.status == "RUNNING"
    assert accuracies(run.info.run_id) == [(1, 0.05), (2, 0.1), (3, 0.15)]


def test_live_run_samples_the_machine(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING", "1")
    write_json("experiment.json", initialise(uri, "tiny"))
    with LiveRun("experiment.json", RECORD, system_metrics=True) as live:
        live.log_epochs(EPOCHS)
        time.sleep(1)
    (run,) = runs()
    assert "system/cpu_utilization_percentage" in run.data.metrics
    assert run.info.status == "FINISHED"


def test_live_run_can_be_switched_off(uri: str) -> None:
    write_json("experiment.json", initialise(uri, "tiny", live=False))
    LiveRun("experiment.json", RECORD).log_epochs(EPOCHS)
    assert not runs()


def test_live_run_sets_final_status(run_folder: Path, uri: str) -> None:
    for _ in range(2):  # the second upload continues the run of the first
        with pytest.raises(ValueError, match="diverged"), live_run(uri) as live:
            live.log_epochs(EPOCHS[:2])
            assert [run.info.status for run in runs()] == ["RUNNING"]
            raise ValueError("diverged")
        assert [run.info.status for run in runs()] == ["FAILED"]
    with live_run(uri) as live:
        live.log_epochs(EPOCHS[:4])
    (run,) = runs()
    assert run.info.status == "FINISHED"
    assert upload_runs(uri, "tiny", [run_folder]) == {str(run_folder): run.info.run_id}
    assert [step for step, _ in accuracies(run.info.run_id)] == [1, 2, 3, 4, 5, 6, 6]


def test_upload_runs_to_dead_server_is_one_line(
    run_folder: Path, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    with live_run(DEAD) as live:
        live.log_epochs(EPOCHS[:5])
        live.log_epochs(EPOCHS)
    first, second = (record.message for record in caplog.records if record.name == "songnet")
    assert first.startswith(f"MLFLOW_TRACKING_URI: {DEAD} cannot be used: ")
    assert second.endswith("; the run is uploaded later")
    before = {path: path.read_bytes() for path in run_folder.iterdir()}
    with pytest.raises(SongNetError, match=f"^MLFLOW_TRACKING_URI: {DEAD} cannot be used: .*;"):
        upload_runs(DEAD, "tiny", [run_folder])
    assert {path: path.read_bytes() for path in run_folder.iterdir()} == before
    # The server is back before the next training starts.
    write_json("experiment.json", read_json("experiment.json") | {"uri": uri})
    LiveRun("experiment.json", RECORD).log_epochs(EPOCHS)
    assert len(runs()) == 1


def damage(store: Path) -> None:
    store.write_bytes(b"garbage" * 1000)


def delete_experiment(store: Path) -> None:
    mlflow.delete_experiment(mlflow.create_experiment("Müsik klein"))


def copy_from_another_folder(store: Path) -> None:
    (store.parent / "before").mkdir()
    shutil.copy(store, store.parent / "before")
    initialise(f"sqlite:///{store.parent}/before/mlflow.db", "Müsik klein")
    shutil.copy(store.parent / "before/mlflow.db", store)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage, "file is not a database; move the file away"),
        (delete_experiment, "Cannot set a deleted experiment 'Müsik klein' .* can restore the"),
        (copy_from_another_folder, "in another folder, .*before/mlart.*; move the store"),
    ],
)
def test_upload_runs_to_unusable_store_is_one_line(
    run_folder: Path, uri: str, caplog: pytest.LogCaptureFixture, spoil: Any, message: str
) -> None:
    spoil(Path("mlflow.db").resolve())
    initialise(uri, "Müsik klein")
    assert len(caplog.records) == 1
    with pytest.raises(SongNetError, match=f"^MLFLOW_TRACKING_URI: {uri} cannot be.*{message}"):
        upload_runs(uri, "Müsik klein", [run_folder])
    upload_runs(uri.replace("mlflow.db", "new.db"), "Müsik klein", [run_folder])
    assert len(runs("Müsik klein")) == 1


@pytest.mark.parametrize(("code", "files_only"), [(401, False), (403, False), (413, True)])
def test_upload_runs_refused_by_server_is_one_line(
    run_folder: Path, uri: str, monkeypatch: pytest.MonkeyPatch, code: int, files_only: bool
) -> None:
    """Wrong password, another user's experiment, and a proxy that limits the size of files."""

    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(code)

        do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        if files_only:
            place = f"{address}/api/2.0/mlflow-artifacts/artifacts"
            mlflow.create_experiment("tiny", artifact_location=place)
        with pytest.raises(SongNetError, match=rf"cannot be used: .*\b{code}\b.*; the results"):
            upload_runs(uri if files_only else address, "tiny", [run_folder])
        server.shutdown()


def set_network(folder: Path, weights: Path, spectrogram: dict[str, Any] | None) -> None:
    """Turn a run into that of a network."""
    (folder / "model.joblib").unlink()
    shutil.copy(weights, folder / "model.safetensors")
    change(folder, family="crnn", network="any", spectrogram=spectrogram)


def test_logged_streaming_network_takes_audio_files(
    run_folder: Path, uri: str, trained: Path, clips: Path, tmp_path: Path
) -> None:
    from songnet.realtime.classify import classify_file
    from songnet.realtime.stream import load_model

    network = load_model(trained)
    set_network(run_folder, trained, network.facts["spectrogram"])
    upload_runs(uri, "tiny", [run_folder])
    (tmp_path / "noise.mp3").write_bytes(b"no music")
    files = [str(min(clips.glob("Rock*.mp3"))), str(tmp_path / "noise.mp3")]
    model = mlflow.pyfunc.load_model("models:/tiny-artist@best")
    found = model.predict(pd.DataFrame({"file": files}))
    expected = classify_file(network, files[0])
    assert expected.prediction is not None and expected.probabilities is not None
    assert found["prediction"][0] == expected.prediction.genre
    probabilities = found.loc[0, network.genres].astype(float)
    np.testing.assert_allclose(probabilities, list(expected.probabilities.values()), atol=1e-6)
    assert found["error"][1].startswith("not decodable")


def test_logged_network_takes_spectrograms_of_any_length(
    run_folder: Path, uri: str, tmp_path: Path
) -> None:
    torch.manual_seed(2)
    network = CRNN(CRNNConfig(64, 2, 43.07, channels=[8, 8, 8], hidden=8)).eval()
    save(network, ["Folk", "Rock"], {}, tmp_path / "weights.safetensors")
    set_network(run_folder, tmp_path / "weights.safetensors", None)
    upload_runs(uri, "tiny", [run_folder])
    model = mlflow.pyfunc.load_model("models:/tiny-artist@best")
    for frames in (128, 646):
        mel = np.random.default_rng(3).normal(-40, 10, (3, 64, frames)).astype(np.float32)
        found = model.predict(mel)
        with torch.inference_mode():
            expected = network(torch.from_numpy(mel)).clip_logits[:, -1].exp().numpy()
        np.testing.assert_allclose(found[["Folk", "Rock"]], expected, atol=1e-6)
        predicted = [["Folk", "Rock"][i] for i in expected.argmax(axis=1)]
        assert found["prediction"].tolist() == predicted
