"""MLflow's store: the experiment that holds all runs, and errors as one line."""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

CURRENT = "songnet.current"  # tag of a run: false once another run has taken its place
LIVE_AFTER = 60.0  # seconds of training; a shorter one is not worth loading MLflow

log = logging.getLogger("songnet")


def explain(uri: str, error: Exception) -> str:
    """Say in one line what is wrong with a store."""
    line = (str(error) or type(error).__name__).splitlines()[0][:300]
    if "not a database" in line or "malformed" in line:
        line += "; move the file away"
    return f"MLFLOW_TRACKING_URI: {uri} cannot be used: {line}"


def initialise(uri: str, experiment: str, live: bool = True) -> dict[str, Any]:
    """Create the store's tables and the experiment, alone, before any run.

    Args:
        uri: of the tracking server.
        experiment: its name.
        live: whether trainings send their epochs.

    Returns:
        What `songnet.tracking.live.LiveRun` needs.
    """
    try:
        open_experiment(uri, experiment)
    except Exception as error:
        log.warning("%s; the workflow goes on without it", explain(uri, error))
    return {"uri": uri, "experiment": experiment, "live_after": LIVE_AFTER if live else None}


def open_experiment(uri: str, name: str) -> str:
    """Find or create an experiment, let MLflow's functions work on it, and return its id.

    Raises:
        Exception: of MLflow, where the server cannot be reached, the experiment is deleted or the
            store comes from another folder.
    """
    import mlflow

    mlflow.set_tracking_uri(uri)
    if uri.startswith("sqlite:///"):  # a server chooses the place of its files itself
        folder = Path(uri.removeprefix("sqlite:///")).resolve().parent
        _check_place(name, (folder / "mlartifacts" / name).as_uri())
    return str(mlflow.set_experiment(name).experiment_id)


def _check_place(name: str, place: str) -> None:
    """Keep an experiment's files beside its store: MLflow remembers where they were at first."""
    import mlflow

    experiment = mlflow.get_experiment_by_name(name)
    if experiment is None:
        mlflow.create_experiment(name, place)
    elif (kept := experiment.artifact_location) != place and kept.endswith(
        f"/mlartifacts/{quote(name)}"
    ):
        raise mlflow.MlflowException(
            f"it keeps its files in another folder, {kept}; move the store and mlartifacts away"
        )
