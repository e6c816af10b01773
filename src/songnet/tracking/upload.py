"""Finished runs to MLflow: figures, files, models, and the best model of each split by name."""

import contextlib
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from songnet.errors import SongNetError
from songnet.evaluation.choice import best_run
from songnet.evaluation.genre_tables import confusion_table
from songnet.evaluation.runs import RunName
from songnet.evaluation.tables import Run, read_runs
from songnet.io import read_json, sha1
from songnet.models.registry import FAMILIES
from songnet.tracking.live import (
    CURRENT,
    MODEL,
    PARENT,
    USER,
    damaged_store,
    describe_experiment,
    find_experiment,
    in_mlflow,
    log_history,
    open_run,
    timestamp,
)

METRICS = "songnet.sha1.metrics"  # tag of a run: SHA-1 of the figures that MLflow holds of it


def upload_runs(uri: str, experiment: str, folders: list[Path], note: str = "") -> dict[str, str]:
    """Bring MLflow up to date with the run folders; what it holds already is left alone.

    Args:
        uri: of the tracking server.
        experiment: its name.
        folders: ``results/{dataset}/runs/{split}/{model}/{seed}``.
        note: of the experiment.

    Returns:
        MLflow's run number of each folder.

    Raises:
        SongNetError: the server cannot be reached, or refuses what it is given.
    """
    import mlflow
    import requests
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return _upload_runs(uri, experiment, folders, note)
    except (mlflow.MlflowException, requests.RequestException, SQLAlchemyError) as error:
        status = _status(error)
        if status == 401:
            problem = f"MLFLOW_TRACKING_USERNAME and _PASSWORD: refused by {uri}"
        elif status == 403:
            problem = (
                f"{uri} lets you not write to the experiment {experiment}: ask whose it is, or "
                "name one of your own by the config key tracking.experiment"
            )
        elif 400 <= status < 500:
            problem = f"MLFLOW_TRACKING_URI: {uri} refuses a part ({_first_line(error)})"
        else:
            problem = damaged_store(uri, error) or (
                f"MLFLOW_TRACKING_URI: {uri} cannot be reached ({_first_line(error)})"
            )
        raise SongNetError(
            f"{problem}; the results are complete, and the next run uploads them"
        ) from None


def _status(error: Any) -> int:
    """HTTP status behind an error of MLflow's client; 500 where no server answered."""
    for status, words in (
        (401, ("error code 401", "UNAUTHENTICATED")),
        (403, ("error code 403", "PERMISSION_DENIED")),
    ):
        if any(word in str(error) for word in words):
            return status
    if getattr(error, "response", None) is not None:  # of requests, which sends the files
        return int(error.response.status_code)
    # The store's file has no status.
    return int(error.get_http_status_code()) if hasattr(error, "get_http_status_code") else 500


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__


def _upload_runs(uri: str, experiment: str, folders: list[Path], note: str) -> dict[str, str]:
    import mlflow
    from tqdm import tqdm

    experiment_id = find_experiment(uri, experiment)
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient(uri)
    describe_experiment(client, experiment_id, note)  # where the server was down before
    run_ids = {}
    for folder in tqdm(folders, desc="MLflow", unit="run", disable=None):
        record = read_json(folder / "params.json")
        history = pd.read_csv(folder / "history.csv")
        ended = (folder / "history.csv").stat().st_mtime
        started = int(1000 * (ended - history["seconds"].sum()))
        model = sha1(folder / FAMILIES[record["family"]].file)
        run_id = open_run(client, experiment_id, record, model, started)
        _upload(client, run_id, folder, record, model, int(1000 * ended))
        run_ids[str(folder)] = run_id
    _mark_current(client, experiment_id, set(run_ids.values()))
    for split in dict.fromkeys(RunName.of(folder).split for folder in folders):
        of_split = [folder for folder in folders if RunName.of(folder).split == split]
        _register_best(client, experiment_id, experiment, of_split, run_ids)
    parents = {client.get_run(run_id).data.tags.get(PARENT) for run_id in run_ids.values()}
    for parent in parents - {None}:
        if client.get_run(parent).info.status == "RUNNING":
            client.set_terminated(parent, "FINISHED")
    return run_ids


def _mark_current(client: Any, experiment_id: str, run_ids: set[str]) -> None:
    """Tell runs of the results folder from those that they have taken the place of."""
    import mlflow

    runs = mlflow.search_runs([experiment_id], output_format="list")
    names = {_name(run) for run in runs if run.info.run_id in run_ids}
    for run in runs:
        if _name(run) not in names:  # of other models or protocols, which stand beside these
            continue
        current = str(run.info.run_id in run_ids).lower()
        if run.data.tags.get(CURRENT) != current:
            client.set_tag(run.info.run_id, CURRENT, current)


def _name(run: Any) -> tuple[str | None, ...]:
    """What only one run at a time can be; of several users, each has a folder of results."""
    params = run.data.params
    names = (params.get(key) for key in ("dataset", "protocol", "split_seed", "model", "seed"))
    return (run.data.tags.get(USER), *names)


def _register_best(
    client: Any, experiment_id: str, experiment: str, folders: list[Path], run_ids: dict[str, str]
) -> None:
    """Give the best model of a split the alias `best`: ``models:/{experiment}-{split}@best``.

    Models that this invocation leaves out may keep it.
    """
    import mlflow

    # Of a fusion MLflow holds the members, not a model of its own; what needs metadata is judged
    # with it, but MLflow's model has none.
    alone = [folder for folder in folders if not (folder / "model.json").exists()]
    need_no_metadata = [folder for folder in alone if not _reads_metadata(folder)]
    best = best_run(need_no_metadata or alone)
    run_id = run_ids[str(best)]
    name = f"{experiment}-{RunName.of(best).split}"
    with contextlib.suppress(mlflow.MlflowException):  # it is there already
        client.create_registered_model(name)
    if _holder_is_better(client, name, client.get_run(run_id), set(run_ids.values())):
        return
    newest = _ready_model(client, experiment_id, run_id)
    if newest is None:  # somebody deleted it
        _log_model(run_id, best, read_json(best / "params.json"))
        newest = _ready_model(client, experiment_id, run_id)
    versions = {v.source: v for v in client.search_model_versions(f"name = '{name}'")}
    # Not `mlflow.register_model`, which talks on the terminal.
    version = versions.get(newest.model_uri) or client.create_model_version(
        name, newest.model_uri, run_id, model_id=newest.model_id
    )
    client.set_registered_model_alias(name, "best", version.version)


def _reads_metadata(folder: Path) -> bool:
    record = read_json(folder / "params.json")
    return bool(record.get("parameters", {}).get("metadata"))


def _holder_is_better(client: Any, name: str, best: Any, run_ids: set[str]) -> bool:
    """Whether another model of the results folder, of the same data, has the alias and deserves it.

    Args:
        client: of MLflow.
        name: of the registered model.
        best: run of this invocation.
        run_ids: all runs of this invocation.
    """
    import mlflow

    try:
        holder = client.get_run(client.get_model_version_by_alias(name, "best").run_id)
    except mlflow.MlflowException:  # there is none, or its run was deleted
        return False

    def data(run: Any) -> dict[str, str]:
        told = run.data.params | run.data.tags
        names = ("data.", "dataset", "sha1/")
        return {key: value for key, value in told.items() if key.startswith(names)}

    if holder.info.run_id in run_ids or holder.data.tags.get(CURRENT) != "true":
        return False
    accuracies = [run.data.metrics.get("validation/accuracy", 0.0) for run in (holder, best)]
    return data(holder) == data(best) and accuracies[0] > accuracies[1]


def _ready_model(client: Any, experiment_id: str, run_id: str) -> Any:
    """Newest logged model of a run: a killed upload may have left one that is not ready."""
    logged = client.search_logged_models(
        [experiment_id], filter_string=f"source_run_id = '{run_id}'"
    )
    ready = [model for model in logged if model.status == "READY"]
    return max(ready, key=lambda model: model.creation_timestamp, default=None)


def _upload(
    client: Any, run_id: str, folder: Path, record: dict[str, Any], model: str, ended: int
) -> None:  # fmt: skip
    """Bring a run up to date: history, metrics, files, confusion figure, model."""
    from mlflow.entities import Metric, RunTag

    holds = {METRICS: sha1(folder / "metrics.json"), MODEL: model}
    held = client.get_run(run_id).data.tags
    if holds.items() <= held.items():
        return
    (run,) = read_runs([folder])
    history, metrics = run.history, run.metrics
    log_history(client, run_id, history)
    values = {"train/seconds": float(history["seconds"].sum())}
    for subset in ("validation", "test"):
        values |= _subset_values(subset, metrics[subset]) if subset in metrics else {}
    # The table of runs shows the last step of a metric: here the model that was kept.
    last = {"validation/accuracy": int(history["epoch"].iloc[-1])}
    now = timestamp()
    client.log_batch(run_id, metrics=[Metric(k, v, now, last.get(k, 0)) for k, v in values.items()])
    for name in ("params.json", "history.csv", "metrics.json", "predictions.parquet"):
        client.log_artifact(run_id, folder / name)
    if record["family"] == "fusion":
        client.log_artifact(run_id, folder / "model.json")
    _log_confusion(client, run_id, run)
    if held.get(MODEL) != holds[MODEL]:
        _log_model(run_id, folder, record)
    client.set_terminated(run_id, "FINISHED", ended)
    # Last, since they say that all of it is there.
    client.log_batch(run_id, tags=[RunTag(k, v) for k, v in holds.items()])


def _subset_values(subset: str, found: dict[str, Any]) -> dict[str, float]:
    """Metrics of one subset, named and scaled (0 to 1) alike for every model."""
    names = ("accuracy", "macro_f1", "log_loss", "ci_low", "ci_high")
    scores = {
        f"{subset}/f1/{in_mlflow(genre)}": values["f1"] for genre, values in found["genres"].items()
    }
    return {f"{subset}/{name}": found[name] for name in names} | scores


def _log_confusion(client: Any, run_id: str, run: Run) -> None:
    from songnet.report.figures import confusion_figure

    record = run.params
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "confusion.png")
        title = f"{record['model']} · {record['protocol']} split · seed {record['seed']}"
        confusion_figure(confusion_table([run]), title, str(path))
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

            from songnet.models import baselines

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
    import numpy as np
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types import Schema, TensorSpec

    from songnet.models.base import load

    network = load(bundle).network
    requirements = ["torch", "safetensors"]
    if network.is_causal() and record.get("spectrogram"):
        code = "tracking/audio_model.py"
        signature = infer_signature(pd.DataFrame({"file": ["song.mp3"]}))
        requirements += ["av", "soundfile", "soxr"]
    else:
        code = "tracking/mel_model.py"
        mel = TensorSpec(np.dtype(np.float32), (-1, network.config.n_bands, -1))
        signature = ModelSignature(inputs=Schema([mel]))
    package = Path(__file__).parents[1]
    mlflow.pyfunc.log_model(
        name="model",
        python_model=str(package / code),
        artifacts={"bundle": str(bundle)},
        code_paths=[str(package)],
        signature=signature,
        pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in requirements],
    )
