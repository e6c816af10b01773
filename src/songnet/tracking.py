"""MLflow as a view of the result files: live while a network trains, complete afterwards.

A server that is down never costs a training: the files stay, and `upload_runs` sends later what
is missing.
"""

import contextlib
import logging
import os
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from songnet.errors import SongNetError
from songnet.files import read_json

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
# A dead server shall cost seconds, not the client's default of many minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

log = logging.getLogger("songnet")

KEY = "songnet.key"  # tag that ties an MLflow run to params.json
COMPLETE = "songnet.complete"
MLFLOW_REFUSES = re.compile(r"[^\w /.:-]")  # in names of metrics


def initialise(uri: str, dataset: str, note: str = "") -> dict[str, Any]:
    """Create the store's tables and the experiment, alone, before any run.

    Args:
        uri: of the tracking server.
        dataset: name of the experiment.
        note: what MLflow's page of the experiment says about the data.

    Returns:
        uri, experiment (name) and experiment_id, None where the server cannot be reached.
    """
    import mlflow

    try:
        if uri.startswith("sqlite:"):
            from mlflow.store.db.utils import _initialize_tables
            from sqlalchemy import create_engine

            _initialize_tables(create_engine(uri))
        experiment_id = _experiment(uri, dataset)
        client = mlflow.MlflowClient(uri)
        client.set_experiment_tag(experiment_id, "mlflow.note.content", note)
        # MLflow's pages then show training runs first, not chat traces.
        client.set_experiment_tag(
            experiment_id, "mlflow.experimentKind", "custom_model_development"
        )
    except Exception as error:
        log.warning("MLflow at %s cannot be reached, going on without: %s", uri, error)
        experiment_id = None
    return {"uri": uri, "experiment": dataset, "experiment_id": experiment_id}


def _experiment(uri: str, dataset: str) -> str:
    """Find or create the experiment of a data set."""
    import mlflow

    client = mlflow.MlflowClient(uri)
    found = client.get_experiment_by_name(dataset)
    if found is not None:
        return str(found.experiment_id)
    artifacts = None
    if uri.startswith("sqlite:///"):
        folder = Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts" / dataset
        artifacts = folder.as_uri()
    try:
        return str(client.create_experiment(dataset, artifact_location=artifacts))
    except mlflow.MlflowException:  # another job was faster
        return str(client.get_experiment_by_name(dataset).experiment_id)


class LiveRun:
    """Sends each epoch of a training to MLflow; gives up, with a line in the log, if none answers.

    Args:
        experiment_json: what `initialise` found.
        record: params.json of the run.
        enabled: False for no live metrics at all.
    """

    def __init__(self, experiment_json: str, record: dict[str, Any], enabled: bool) -> None:
        experiment = read_json(experiment_json)
        self._client: Any = None
        if not enabled or experiment["experiment_id"] is None:
            return
        with self._giving_up():
            import mlflow

            self._client = mlflow.MlflowClient(experiment["uri"])
            self._run_id = _open_run(self._client, experiment["experiment_id"], record)

    def log_epoch(self, row: dict[str, float]) -> None:
        """Send one row of history.csv."""
        if self._client is not None:
            with self._giving_up():
                _log_history(self._client, self._run_id, pd.DataFrame([row]))

    @contextlib.contextmanager
    def _giving_up(self) -> Any:
        try:
            yield
        except Exception as error:
            log.warning("MLflow does not answer; the run is uploaded later: %s", error)
            self._client = None


def upload_runs(
    uri: str, dataset: str, folders: list[Path], config: dict[str, Any]
) -> dict[str, str]:
    """Bring MLflow up to date with the run folders; what is complete there is left alone.

    Args:
        uri: of the tracking server.
        dataset: experiment name.
        folders: ``results/{dataset}/runs/{protocol}/{model}/{seed}``.
        config: of the workflow, for tags.

    Returns:
        MLflow's run number of each folder.

    Raises:
        SongNetError: the server cannot be reached.
    """
    import mlflow
    from tqdm import tqdm

    try:
        experiment_id = _experiment(uri, dataset)
    except Exception as error:
        raise SongNetError(
            f"MLFLOW_TRACKING_URI: {uri} cannot be reached ({type(error).__name__}); "
            "the results are complete, and the next run uploads them"
        ) from None
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient(uri)
    run_ids = {}
    for folder in tqdm(folders, desc="MLflow", unit="run", disable=None):
        record = read_json(folder / "params.json")
        run_id = _open_run(client, experiment_id, record)
        if COMPLETE not in client.get_run(run_id).data.tags:
            _upload(client, run_id, folder, record, config)
        run_ids[str(folder)] = run_id
    return run_ids


def _open_run(client: Any, experiment_id: str, record: dict[str, Any]) -> str:
    """Find or create the MLflow run of a record."""
    from mlflow.entities import Param, RunTag

    found = client.search_runs([experiment_id], f"tags.`{KEY}` = '{record['key']}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    name = f"{record['model']} · {record['protocol']} · {record['seed']}"
    if record["split_seed"] != 1:
        name += f" · split {record['split_seed']}"
    run = client.create_run(experiment_id, run_name=name, tags={KEY: record["key"]})
    tags = {
        "git_commit": record["commit"],
        "source": record["source"],
        "protocol": record["protocol"],
        "split_seed": record["split_seed"],
        **{f"sha1/{name}": value for name, value in record["archives"].items()},
    }
    client.log_batch(
        run.info.run_id,
        params=[Param(name, str(value)) for name, value in _flat(_settings(record)).items()],
        tags=[RunTag(name, str(value)) for name, value in tags.items()],
    )
    return str(run.info.run_id)


def _settings(record: dict[str, Any]) -> dict[str, Any]:
    documents = {"key", "source", "archives", "commit", "versions", "title", "poster"}
    return {name: value for name, value in record.items() if name not in documents}


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, item in value.items():
        out |= _flat(item, f"{prefix}{name}.") if isinstance(item, dict) else {prefix + name: item}
    return out


def _log_history(client: Any, run_id: str, history: pd.DataFrame) -> None:
    """Log epochs that MLflow does not have, all metrics of all epochs in one call."""
    from mlflow.entities import Metric

    known = {m.step for m in client.get_metric_history(run_id, "validation/accuracy")}
    metrics = [
        Metric(_metric_name(column), float(value), _timestamp(), int(row["epoch"]))
        for _, row in history.iterrows()
        if row["epoch"] not in known
        for column, value in row.items()
        if column != "epoch"
    ]
    for start in range(0, len(metrics), 1000):
        client.log_batch(run_id, metrics=metrics[start : start + 1000])


def _metric_name(column: str) -> str:
    part, _, what = column.partition("_")
    return f"{part}/{what}" if part in ("train", "validation") else f"epoch/{column}"


def _timestamp() -> int:
    import time

    return int(time.time() * 1000)


def _upload(
    client: Any, run_id: str, folder: Path, record: dict[str, Any], config: dict[str, Any]
) -> None:
    """Complete a run: history, metrics, files, confusion figure, model."""
    from mlflow.entities import Metric, RunTag

    from songnet.files import digest

    _log_history(client, run_id, pd.read_csv(folder / "history.csv"))
    metrics = read_json(folder / "metrics.json")
    values: dict[str, float] = {}
    for part in ("validation", "test"):
        if part not in metrics:
            continue
        found = metrics[part]
        names = ("accuracy", "macro_f1", "log_loss", "ci_low", "ci_high")
        values |= {
            f"{part}/{name}": found[name] for name in names if part == "test" or name != "accuracy"
        }
        values |= {
            f"{part}/f1/{MLFLOW_REFUSES.sub('_', genre)}": scores["f1"]
            for genre, scores in found["genres"].items()
        }
    now = _timestamp()
    client.log_batch(run_id, metrics=[Metric(k, v, now, 0) for k, v in values.items()])
    for name in ("params.json", "history.csv", "metrics.json", "predictions.parquet"):
        client.log_artifact(run_id, folder / name)
    if record["family"] == "fusion":
        client.log_artifact(run_id, folder / "model.json")
    _log_confusion(client, run_id, metrics, record)
    _log_model(run_id, folder, record)
    tags = {COMPLETE: "true", "config_digest": digest(config)}
    client.log_batch(run_id, tags=[RunTag(k, v) for k, v in tags.items()])
    client.set_terminated(run_id, "FINISHED")


def _log_confusion(
    client: Any, run_id: str, metrics: dict[str, Any], record: dict[str, Any]
) -> None:
    import tempfile

    from songnet.figures import confusion_figure

    names = metrics["genre_names"]
    part = "test" if "test" in metrics else "validation"
    counts = pd.DataFrame(
        [
            {"part": part, "genre": true, "predicted": predicted, "tracks": count}
            for true, row in zip(names, metrics[part]["confusion"], strict=True)
            for predicted, count in zip(names, row, strict=True)
        ]
    )
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "confusion.png")
        title = f"{record['title']} · {record['protocol']} split · seed {record['seed']}"
        confusion_figure(counts, title, {"source": ""}, str(path))
        client.log_artifact(run_id, path)


def _log_model(run_id: str, folder: Path, record: dict[str, Any]) -> None:
    """Log the model with its signature. Named requirements save MLflow a long search."""
    if record["family"] == "fusion":  # weights of members that are logged themselves
        return
    import mlflow
    import numpy as np
    from mlflow.models import infer_signature

    with mlflow.start_run(run_id=run_id):
        if record["family"] == "baseline":
            import skops.io as skops

            from songnet import baselines

            baseline = baselines.load(folder / "model.joblib")
            columns = baseline.pipeline.n_features_in_
            example = np.zeros((1, columns), np.float32)
            verdict = baseline.pipeline.predict(example)
            mlflow.sklearn.log_model(
                baseline.pipeline,
                name="model",
                signature=infer_signature(example, verdict),
                pip_requirements=[f"scikit-learn=={version('scikit-learn')}"],
                # The file was made by this workflow, so its types are trusted.
                skops_trusted_types=skops.get_untrusted_types(data=skops.dumps(baseline.pipeline)),
            )
        else:
            _log_network(folder / "model.safetensors", record)


def _log_network(bundle: Path, record: dict[str, Any]) -> None:
    """Log a network: as a model of audio files if it can hear, else as one of spectrograms."""
    import mlflow
    import torch
    from mlflow.models import infer_signature

    from songnet.networks import load
    from songnet.prediction import ClipClassifier

    network = load(bundle).network
    requirements = [f"torch=={version('torch').partition('+')[0]}"]
    if network.streams() and record.get("mel"):
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("mlflow_model.py")),
            artifacts={"bundle": str(bundle)},
            code_paths=[str(Path(__file__).parent)],
            signature=infer_signature(pd.DataFrame({"file": ["song.mp3"]})),
            pip_requirements=[*requirements, f"soundfile=={version('soundfile')}",
                              f"soxr=={version('soxr')}", f"safetensors=={version('safetensors')}"],
        )  # fmt: skip
        return
    # The exporter explains itself at length, to developers of torch.
    logging.getLogger("torch").setLevel(logging.ERROR)
    classifier = ClipClassifier(network).eval()
    mel = torch.zeros(1, network.config.n_mels, 16 * network.frames_per_step)
    mlflow.pytorch.log_model(
        classifier,
        name="model",
        signature=infer_signature(mel.numpy(), classifier(mel).detach().numpy()),
        input_example=mel.numpy(),
        pip_requirements=requirements,
    )
