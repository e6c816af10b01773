"""MLflow as a view of the result files: the experiment, its runs, and epochs while they train.

A server that is down never costs a training: the files stay, and `songnet.tracking.upload` sends
later what is missing.
"""

import contextlib
import getpass
import logging
import os
import re
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

import pandas as pd

from songnet.errors import SongNetError
from songnet.io import digest, machine_lock, read_json

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
# A dead server shall cost seconds, not the client's default of many minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # they fill logs

log = logging.getLogger("songnet")

# Tags of a run.
KEY = "songnet.key"  # ties it to params.json
MODEL = "songnet.sha1.model"  # SHA-1 of the model that MLflow holds of it
USER = "mlflow.user"
CURRENT = "songnet.current"  # false once the results folder has another run in its place
PARENT = "mlflow.parentRunId"
INVOCATION = "SONGNET_INVOCATION"  # in the environment: what one `snakemake` gives all its jobs

# Seconds of training before its epochs are sent. Loading MLflow takes some itself, and what is over
# sooner need not be watched: it is uploaded later.
LIVE_AFTER = 60.0


def initialise(uri: str, experiment: str, note: str = "", live: bool = True) -> dict[str, Any]:
    """Create the store's tables and the experiment, alone, before any run.

    Args:
        uri: of the tracking server.
        experiment: its name.
        note: what MLflow's page of the experiment says about the data.
        live: whether trainings send their epochs.

    Returns:
        uri, experiment (name), experiment_id, None where the server cannot be reached, and
        live_after, seconds of training before its epochs are sent, None for never.
    """
    import mlflow

    try:
        if uri.startswith("sqlite:"):  # also brings the store of an older MLflow up to date
            from mlflow.store.db.utils import _initialize_tables
            from sqlalchemy import create_engine

            _initialize_tables(create_engine(uri))
        experiment_id = find_experiment(uri, experiment)
        describe_experiment(mlflow.MlflowClient(uri), experiment_id, note)
    except SongNetError as error:
        log.warning("%s", error)
        experiment_id = None
    except Exception as error:
        problem = damaged_store(uri, error) or f"MLflow at {uri} cannot be reached: {error}"
        log.warning("%s; going on without", problem)
        experiment_id = None
    found = {"uri": uri, "experiment": experiment, "experiment_id": experiment_id}
    return found | {"live_after": LIVE_AFTER if live else None}


def damaged_store(uri: str, error: Exception) -> str:
    """What to do where the file of the store is no database; empty for other errors."""
    words = ("file is not a database", "disk image is malformed", "file is encrypted")
    if not any(word in str(error) for word in words):
        return ""
    return f"{uri.removeprefix('sqlite:///')}: not an MLflow store, or a damaged one; move it away"


def describe_experiment(client: Any, experiment_id: str, note: str) -> None:
    """Give an experiment its note, and the pages that fit it."""
    text = f"{_views(experiment_id)} {note}".strip()
    client.set_experiment_tag(experiment_id, "mlflow.note.content", text)
    # MLflow's pages then show training runs first, not chat traces.
    client.set_experiment_tag(experiment_id, "mlflow.experimentKind", "custom_model_development")


def _views(experiment_id: str) -> str:
    """Links to views of all runs, for the experiment's note: by date they hide in their parents."""
    shown = "searchFilter=" + quote(f"tags.`{CURRENT}` = 'true'")
    order = "orderByKey=metrics.%60test%2Faccuracy%60&orderByAsc=false"
    page = f"#/experiments/{experiment_id}/runs?{shown}&{order}"
    return f"[All runs, best first]({page}) · [as charts]({page}&compareRunsMode=CHART)"


def find_experiment(uri: str, name: str) -> str:
    """Find or create an experiment.

    Raises:
        SongNetError: somebody has deleted it, or copied its file from another folder.
        Exception: whatever MLflow raises where the server cannot be reached.
    """
    import mlflow

    client = mlflow.MlflowClient(uri)
    artifacts = None
    if uri.startswith("sqlite:///"):
        store = Path(uri.removeprefix("sqlite:///")).resolve()
        artifacts = (store.parent / "mlartifacts" / name).as_uri()
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            raise SongNetError(
                f"MLflow's experiment {name} is deleted; it comes back by `mlflow experiments "
                f"restore --experiment-id {found.experiment_id}` with MLFLOW_TRACKING_URI={uri}"
            )
        ours = found.artifact_location.endswith(f"/mlartifacts/{quote(name)}")
        if artifacts and ours and found.artifact_location != artifacts:
            before = Path(unquote(urlsplit(found.artifact_location).path))
            is_copy = Path(before.parents[1], store.name).exists()
            if is_copy and not Path(store.parent, "mlartifacts", name).is_dir():
                raise SongNetError(
                    f"{store} belongs to another folder: it would have MLflow's files written to "
                    f"{found.artifact_location}; move mlartifacts here, too, or {store.name} away, "
                    "and all runs are uploaded to a new one"
                )
            _relocate(uri, found.artifact_location, artifacts)
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name, artifact_location=artifacts))
    except mlflow.MlflowException:
        found = client.get_experiment_by_name(name)
        if found is None:  # refused; else another job was faster
            raise
        return str(found.experiment_id)


def _relocate(uri: str, before: str, now: str) -> None:
    """Let a store that was moved together with its files find them: it keeps absolute addresses.

    Args:
        uri: of the store, a file of SQLite.
        before: old address of an experiment's files.
        now: their address.
    """
    from sqlalchemy import create_engine, text

    places = {
        "experiments": ["artifact_location"],
        "runs": ["artifact_uri"],
        "logged_models": ["artifact_location"],
        "model_versions": ["source", "storage_location"],
    }
    with create_engine(uri).begin() as connection:
        for table, columns in places.items():
            for column in columns:
                connection.execute(
                    text(
                        f"UPDATE {table} SET {column} = :now || substr({column}, :length) "
                        f"WHERE substr({column}, 1, :length - 1) = :before"
                    ),
                    {"now": now, "before": before, "length": len(before) + 1},
                )
    log.warning("%s was moved: its files are at %s now", uri, now)


class LiveRun:
    """Sends the epochs of a training to MLflow; gives up, with a line in the log, if none answers.

    Left by an error, the run is marked as failed, else as finished.

    Args:
        experiment_json: from `initialise`, whose job may run beside the training; while it is not
            there, nothing is sent. The server may be up now that was down then.
        record: params.json of the run.
    """

    def __init__(self, experiment_json: str | Path, record: dict[str, Any]) -> None:
        self._experiment_json = Path(experiment_json)
        self._record = record
        self._client: Any = None
        self._silent = False  # whether no server answered

    def log_epochs(self, history: list[dict[str, float]]) -> None:
        """Send the rows of history.csv that MLflow does not have."""
        if self._silent or not self._experiment_json.exists():
            return
        with self._giving_up():
            experiment = read_json(self._experiment_json)
            after = experiment.get("live_after")
            if after is None or sum(row["seconds"] for row in history) < after:
                return
            if self._client is None:
                import mlflow

                uri = experiment["uri"]
                experiment_id = find_experiment(uri, experiment["experiment"])
                self._client = mlflow.MlflowClient(uri)
                self._run_id = open_run(self._client, experiment_id, self._record)
                self._client.update_run(self._run_id, status="RUNNING")  # it may have failed before
            log_history(self._client, self._run_id, pd.DataFrame(history))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._client is None:
            return
        with self._giving_up():
            failed = kind is not None and issubclass(kind, Exception)
            status = "FINISHED" if kind is None else "FAILED" if failed else "KILLED"
            self._client.set_terminated(self._run_id, status)

    @contextlib.contextmanager
    def _giving_up(self) -> Any:
        try:
            yield
        except Exception as error:
            log.warning("MLflow does not answer; the run is uploaded later: %s", error)
            self._client, self._silent = None, True


def open_run(
    client: Any,
    experiment_id: str,
    record: dict[str, Any],
    model: str | None = None,
    started: int | None = None,
) -> str:
    """Find or create the MLflow run of a record, under the parent of this invocation.

    A finished run of another model is of an earlier training, or of another machine's: this one
    gets a run of its own.

    Args:
        client: of MLflow.
        experiment_id: of the experiment.
        record: params.json of the run.
        model: SHA-1 of its model; None while it is trained.
        started: milliseconds since 1970; None for now.
    """
    from mlflow.entities import Param, RunTag

    of_this = f"tags.`{KEY}` = '{record['key']}'"
    found = client.search_runs([experiment_id], of_this, order_by=["attributes.start_time DESC"])
    holding = [run for run in found if model and run.data.tags.get(MODEL) == model]
    # The newest may still be trained, or await its upload.
    waiting = [
        run for run in found[:1] if run.info.status != "FINISHED" or MODEL not in run.data.tags
    ]
    found = holding or waiting
    if found and PARENT in found[0].data.tags:
        return str(found[0].info.run_id)
    name = f"{record['model']} · {record['protocol']} · {record['seed']}"
    if record["split_seed"] != 1:
        name += f" · split {record['split_seed']}"
    # A break may have left one without what is logged next.
    run = (
        found[0]
        if found
        else client.create_run(
            experiment_id, start_time=started, run_name=name, tags={KEY: record["key"]}
        )
    )
    tags = {
        "git_commit": record["commit"],
        "source": record["source"],
        "protocol": record["protocol"],
        "split_seed": record["split_seed"],
        PARENT: open_parent(client, experiment_id),
        USER: user(),
        **{f"sha1/{in_mlflow(name)}": value for name, value in record["archives"].items()},
    }
    client.log_batch(
        run.info.run_id,
        params=[Param(name, str(value)) for name, value in _flat(_settings(record)).items()],
        tags=[RunTag(name, str(value)) for name, value in tags.items()],
    )
    return str(run.info.run_id)


def in_mlflow(name: str) -> str:
    """Name of a metric or tag with what MLflow refuses in one replaced."""
    return re.sub(r"[^\w /.:-]", "_", name)


def user() -> str:
    """Name of who runs the workflow; containers may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def open_parent(client: Any, experiment_id: str) -> str:
    """Find or create the run that holds all runs of one invocation of the workflow.

    Jobs run side by side, and one of them makes it; on several machines each may make one.
    """
    started = os.environ.get(INVOCATION) or time.strftime("%Y-%m-%d %H:%M:%S")
    name = digest([client.tracking_uri, experiment_id])
    with machine_lock(f"mlflow-{name}"):
        of_this = f"tags.`{INVOCATION}` = '{started}'"
        found = client.search_runs([experiment_id], of_this, max_results=1)
        if found:
            return str(found[0].info.run_id)
        run = client.create_run(
            experiment_id, run_name=f"workflow · {started}", tags={INVOCATION: started}
        )
    return str(run.info.run_id)


def _settings(record: dict[str, Any]) -> dict[str, Any]:
    documents = {"key", "source", "archives", "commit", "versions"}
    return {name: value for name, value in record.items() if name not in documents}


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, item in value.items():
        out |= _flat(item, f"{prefix}{name}.") if isinstance(item, dict) else {prefix + name: item}
    return out


def log_history(client: Any, run_id: str, history: pd.DataFrame) -> None:
    """Log epochs that MLflow does not have, all metrics of all epochs in one call."""
    from mlflow.entities import Metric

    known = {m.step for m in client.get_metric_history(run_id, "validation/accuracy")}
    metrics = [
        Metric(_metric_name(column), float(value), timestamp(), int(row["epoch"]))
        for row in history.to_dict("records")
        if row["epoch"] not in known
        # MLflow's pages open on what was logged first: the last column, the validation accuracy.
        for column, value in reversed(row.items())
        if column != "epoch"
    ]
    for start in range(0, len(metrics), 1000):
        client.log_batch(run_id, metrics=metrics[start : start + 1000])


def _metric_name(column: str) -> str:
    # Charts are grouped by what stands before the slash, and the test's group comes first.
    subset, _, what = column.partition("_")
    return f"{subset}/{what}" if subset in ("train", "validation") else f"train/epoch_{column}"


def timestamp() -> int:
    """Milliseconds since 1970, as MLflow counts."""
    return int(time.time() * 1000)
