"""Upload of finished runs to MLflow: metrics, files, figure and model, if not uploaded yet."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import mlflow
import requests
from mlflow.entities import RunTag
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from songnet.errors import SongNetError
from songnet.evaluation.genre_tables import confusion_table
from songnet.evaluation.runs import RunName
from songnet.evaluation.tables import Run, read_runs
from songnet.io import sha1
from songnet.models.registry import FAMILIES
from songnet.report.figures import confusion_figure
from songnet.tracking.models import has_model, log_model, register_best
from songnet.tracking.runs import DATA, MODEL, PLACE, log_history, open_run, plain_names
from songnet.tracking.store import CURRENT, explain, open_experiment

METRICS = "songnet.sha1.metrics"  # tag of a run: SHA-1 of the uploaded metrics.json


def upload_runs(uri: str, experiment: str, folders: list[Path]) -> dict[str, str]:
    """Synchronise MLflow with the run folders.

    Args:
        uri: tracking URI.
        experiment: name of the experiment.
        folders: ``results/{dataset}/runs/{split}/{model}/{seed}``.

    Returns:
        MLflow's run id of each folder.

    Raises:
        SongNetError: the server cannot be reached or rejects the upload.
    """
    try:
        experiment_id = open_experiment(uri, experiment)
        progress = tqdm(folders, desc="MLflow", unit="run", disable=None)
        runs = {folder: _upload(experiment_id, folder) for folder in progress}
        _mark_current(list(runs.values()))
        splits = {RunName.of(folder).split: run.data.tags[DATA] for folder, run in runs.items()}
        for split, data in splits.items():
            register_best(f"{experiment}-{split}", data)
            register_best(f"{experiment}-{split}-audio", data, of_audio=True)
    except (mlflow.MlflowException, requests.RequestException, SQLAlchemyError) as error:
        raise SongNetError(
            f"{explain(uri, error)}; the results are complete, and the next run uploads them"
        ) from None
    return {str(folder): run.info.run_id for folder, run in runs.items()}


def _upload(experiment_id: str, folder: Path) -> Any:
    """Synchronise one run and return MLflow's run as it was before."""
    (run,) = read_runs([folder])
    family = FAMILIES[run.params["family"]]
    model = sha1(folder / family.file)
    tags = {MODEL: model, METRICS: sha1(folder / "metrics.json")}
    ended = int(1000 * (folder / "history.csv").stat().st_mtime)
    started = ended - int(1000 * run.history["seconds"].sum())
    found = open_run(experiment_id, run.params, model, started)
    run_id, held = found.info.run_id, found.data.tags
    if tags.items() <= held.items():
        return found
    log_history(run_id, run.history)
    metrics = _metrics(run)
    # MLflow's table shows the value at the last step: log that of the kept model there.
    kept = {"validation/accuracy": metrics.pop("validation/accuracy")}
    mlflow.log_metrics(kept, int(run.history["epoch"].iloc[-1]), run_id=run_id)
    mlflow.log_metrics(metrics, run_id=run_id)  # metrics without steps are drawn as bars
    title = "{model} · {protocol} split · seed {seed}".format_map(run.params)
    with tempfile.TemporaryDirectory() as temporary:
        confusion_figure(confusion_table([run]), title, f"{temporary}/confusion.png")
        leave_out = shutil.ignore_patterns("model.joblib", "model.safetensors")  # logged as models
        shutil.copytree(folder, temporary, ignore=leave_out, dirs_exist_ok=True)
        mlflow.log_artifacts(temporary, run_id=run_id)
    if held.get(MODEL) != model and has_model(run.params):
        with mlflow.start_run(run_id=run_id):
            tags |= log_model(folder / family.file, run.params)
    client = mlflow.MlflowClient()
    client.set_terminated(run_id, "FINISHED", ended)
    # The tags are set last, because they mark the upload as complete.
    client.log_batch(run_id, tags=[RunTag(*tag) for tag in tags.items()])
    return found


def _metrics(run: Run) -> dict[str, float]:
    """Return the metrics of a run under their MLflow names, as fractions."""
    values = {"train/seconds": float(run.history["seconds"].sum())}
    for subset in [subset for subset in ("validation", "test") if subset in run.metrics]:
        found = run.metrics[subset]
        names = ("accuracy", "macro_f1", "log_loss", "ci_low", "ci_high")
        values |= {f"{subset}/{name}": found[name] for name in names}
        plain = plain_names(list(found["genres"]))
        values |= {f"{subset}/f1/{plain[g]}": scores["f1"] for g, scores in found["genres"].items()}
    return values


def _mark_current(runs: list[Any]) -> None:
    """Tag the runs of the results folder as current and the runs they replace as not current."""
    run_ids = {run.info.run_id for run in runs}
    places = {run.data.tags[PLACE] for run in runs}
    client = mlflow.MlflowClient()
    for run in mlflow.search_runs(output_format="list"):
        tags, is_current = run.data.tags, str(run.info.run_id in run_ids).lower()
        if tags.get(PLACE) in places and tags.get(CURRENT) != is_current:
            client.set_tag(run.info.run_id, CURRENT, is_current)
