"""One run in MLflow: found or created by its record, with its parent, parameters and epochs."""

import getpass
import os
import re
import time
from typing import Any

import mlflow
import pandas as pd

from songnet.io import digest, machine_lock

# Tags of a run.
KEY = "songnet.key"  # ties it to params.json
MODEL = "songnet.sha1.model"  # SHA-1 of the model that MLflow holds of it
PLACE = "songnet.place"  # user and folder, where another run may take its place
DATA = "songnet.data"  # digest of tracks and split: runs that share it can be compared
# In the environment, from the Snakefile: names one `snakemake` to all its jobs.
INVOCATION = "SONGNET_INVOCATION"
FACTS = {"key", "source", "archives", "commit", "versions"}  # of params.json, not parameters
try:
    USER = getpass.getuser()
except (KeyError, OSError):  # a container may not know its user
    USER = str(os.getuid())


def open_run(
    experiment_id: str, record: dict[str, Any], model: str | None = None, started: int | None = None
) -> mlflow.entities.Run:
    """Find or create the MLflow run of a record.

    A run that holds another model is of an earlier training or of another machine.

    Args:
        experiment_id: of the active experiment.
        record: params.json of the run.
        model: SHA-1 of its model; None during training.
        started: milliseconds since 1970; None for now.
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
    """Replace what MLflow refuses in the name of a metric or tag."""
    return re.sub(r"[^\w /.:-]", "_", name)


def plain_names(names: list[str]) -> dict[str, str]:
    """Replace what MLflow refuses in names; those that become the same get a number."""
    plains: dict[str, str] = {}
    for name in names:
        like = sum(plain(other) == plain(name) for other in plains)
        plains[name] = plain(name) + (f" {like + 1}" if like else "")
    return plains


def _open_parent(experiment_id: str) -> str:
    """Find or create the run that holds all runs of one invocation of the workflow."""
    started = os.environ.get(INVOCATION) or time.strftime("%Y-%m-%d %H:%M:%S")
    client = mlflow.MlflowClient()
    with machine_lock(f"mlflow-{digest([client.tracking_uri, experiment_id])}"):
        if found := _search(INVOCATION, started):
            return str(found[0].info.run_id)
        tags = {INVOCATION: started, "mlflow.user": USER}
        run_id = client.create_run(experiment_id, None, tags, f"workflow · {started}").info.run_id
        client.set_terminated(run_id)  # it trains nothing itself
        return str(run_id)


def log_history(run_id: str, history: pd.DataFrame) -> None:
    """Log the rows of history.csv that MLflow does not have."""
    logged = mlflow.MlflowClient().get_metric_history(run_id, "validation/accuracy")
    known = {metric.step for metric in logged}
    for row in history[~history["epoch"].isin(known)].to_dict("records"):
        epoch = int(row.pop("epoch"))
        # MLflow's pages open on what was logged first: the last column, the validation accuracy.
        metrics = {_metric(name): row[name] for name in reversed(row)}
        mlflow.log_metrics(metrics, epoch, run_id=run_id)


def _metric(column: str) -> str:
    """Name of a column of history.csv; MLflow groups charts by the part before the slash."""
    subset, _, name = column.partition("_")
    return f"{subset}/{name}" if subset in ("train", "validation") else f"train/epoch_{column}"
