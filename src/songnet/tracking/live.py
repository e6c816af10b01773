"""Live logging of epochs to MLflow during training."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pandas as pd

from songnet.io import read_json
from songnet.tracking.store import explain, open_experiment

log = logging.getLogger("songnet")


class LiveRun:
    """Logs the epochs of a training; stops at the first error, with one line in the log.

    Args:
        experiment_json: path of experiment.json, written by the job that runs
            `songnet.tracking.store.initialise`. Nothing is logged until it exists.
        record: contents of the run's params.json.
        system_metrics: whether MLflow also logs processor, memory and GPU load.
    """

    def __init__(
        self, experiment_json: str | Path, record: dict[str, Any], system_metrics: bool = False
    ) -> None:
        self._file, self._record = Path(experiment_json), record
        self._system_metrics = system_metrics
        self._monitor: Any = None
        self._uri = ""
        self._client: Any = None
        self._given_up = False

    def log_epochs(self, history: list[dict[str, float]]) -> None:
        """Log the rows of history.csv that MLflow does not have yet."""
        if self._given_up or not self._file.exists():
            return
        with self._giving_up():
            experiment = read_json(self._file)
            self._uri, after = experiment["uri"], experiment["live_after"]
            if after is None or sum(row["seconds"] for row in history) < after:
                return
            import mlflow

            from songnet.tracking.runs import log_history, open_run

            if self._client is None:
                experiment_id = open_experiment(self._uri, experiment["experiment"])
                self._run_id = open_run(experiment_id, self._record).info.run_id
                self._client = mlflow.MlflowClient()
                self._client.update_run(self._run_id, "RUNNING")  # may have failed before
                if self._system_metrics:
                    self._monitor = _watch(self._run_id)
            log_history(self._run_id, pd.DataFrame(history))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._monitor is not None:
            self._monitor.finish()
        if self._client is not None and not self._given_up:
            with self._giving_up():
                self._client.set_terminated(self._run_id, "FAILED" if kind else "FINISHED")

    @contextlib.contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._given_up = True
            log.warning("%s; the run is uploaded later", explain(self._uri, error))


def _watch(run_id: str) -> Any:
    """Start logging the machine's load to a run."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(run_id, resume_logging=True)
    monitor.start()
    return monitor
