"""Runs in MLflow: lookup and creation by params.json, with parent, parameters and epochs."""

import getpass
import os
import re
import time
from typing import Any

import mlflow
import pandas as pd

from songnet.io import digest, machine_lock

# Tags of a run.
KEY = "songnet.key"  # `key` of params.json
MODEL = "songnet.sha1.model"  # SHA-1 of the uploaded model file
PLACE = "songnet.place"  # user and run folder; a newer run of the same place replaces it
DATA = "songnet.data"  # digest of tracks and split; equal for comparable runs
# Environment variable set by the Snakefile, which identifies one `snakemake` to all its jobs.
INVOCATION = "SONGNET_INVOCATION"
FACTS = {"key", "source", "archives", "commit", "versions"}  # params.json keys not logged
try:
    USER = getpass.getuser()
except (KeyError, OSError):  # in a container, the user may be unknown
    USER = str(os.getuid())


def open_run(
    experiment_id: str, record: dict[str, Any], model: str | None = None, started: int | None = None
) -> mlflow.entities.Run:
    """Find or create the MLflow run of a record.

    An MLflow run with a different model is not reused: it comes from an earlier training or from
    another machine.

    Args:
        experiment_id: id of the active experiment.
        record: contents of params.json.
        model: SHA-1 of the model file; None during training.
        started: start of the run, milliseconds since 1970; None for now.
    """
    newest_first = _search(KEY, record["key"])
    for run in newest_first:
        if model and run.data.tags.get(MODEL) == model:
            return run
    if newest_first and MODEL not in newest_first[0].data.tags:  # in training, or not uploaded
        run = newest_first[0]
    else:
        tags = _tags(record) | {"mlflow.parentRunId": _open_parent(experiment_id)}
        run = mlflow.MlflowClient().create_run(experiment_id, started, tags, _name(record))
    settings = pd.json_normalize({key: record[key] for key in record.keys() - FACTS})
    mlflow.log_params(settings.astype(object).iloc[0].to_dict(), run_id=run.info.run_id)
    return run


def _search(tag: str, value: str) -> list[mlflow.entities.Run]:
    return mlflow.search_runs(filter_string=f"tags.`{tag}` = '{value}'", output_format="list")


def _name(record: dict[str, Any]) -> str:
    split = "" if record["split_seed"] == 1 else f" · split {record['split_seed']}"
    return f"{record['model']} · {record['protocol']} · {record['seed']}{split}"


def _tags(record: dict[str, Any]) -> dict[str, str]:
    data = [record.get(key) for key in ("dataset", "data", "archives", "protocol", "split_seed")]
    return {
        KEY: record["key"],
        PLACE: f"{USER} · {record['dataset']} · {_name(record)}",
        DATA: digest(data),
        "mlflow.user": USER,
        "mlflow.source.name": "workflow/Snakefile",
        "mlflow.source.type": "LOCAL",
        "git_commit": record["commit"],
        **{f"sha1/{plain(archive)}": sha1 for archive, sha1 in record["archives"].items()},
    }


def plain(name: str) -> str:
    """Replace characters that MLflow does not allow in the name of a metric or tag."""
    return re.sub(r"[^\w /.:-]", "_", name)


def plain_names(names: list[str]) -> dict[str, str]:
    """Apply `plain` to several names, numbering those that become equal."""
    plains: dict[str, str] = {}
    for name in names:
        like = sum(plain(other) == plain(name) for other in plains)
        plains[name] = plain(name) + (f" {like + 1}" if like else "")
    return plains


def _open_parent(experiment_id: str) -> str:
    """Find or create the parent run of one invocation of the workflow; return its id."""
    started = os.environ.get(INVOCATION) or time.strftime("%Y-%m-%d %H:%M:%S")
    client = mlflow.MlflowClient()
    with machine_lock(f"mlflow-{digest([client.tracking_uri, experiment_id])}"):
        if found := _search(INVOCATION, started):
            return str(found[0].info.run_id)
        tags = {INVOCATION: started, "mlflow.user": USER}
        run_id = client.create_run(experiment_id, None, tags, f"workflow · {started}").info.run_id
        client.set_terminated(run_id)  # it has no work of its own
        return str(run_id)


def log_history(run_id: str, history: pd.DataFrame) -> None:
    """Log the rows of history.csv that MLflow does not have yet."""
    logged = mlflow.MlflowClient().get_metric_history(run_id, "validation/accuracy")
    known = {metric.step for metric in logged}
    for row in history[~history["epoch"].isin(known)].to_dict("records"):
        epoch = int(row.pop("epoch"))
        # MLflow's page opens with the metric logged first; reversed, it is the validation accuracy.
        metrics = {_metric(name): row[name] for name in reversed(row)}
        mlflow.log_metrics(metrics, epoch, run_id=run_id)


def _metric(column: str) -> str:
    """Convert a column of history.csv to a metric name, whose prefix groups charts in MLflow."""
    subset, _, name = column.partition("_")
    return f"{subset}/{name}" if subset in ("train", "validation") else f"train/epoch_{column}"
