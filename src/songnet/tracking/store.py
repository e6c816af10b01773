"""MLflow's store: the experiment of all runs, and one-line errors."""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

CURRENT = "songnet.current"  # tag of a run: false after a newer run has replaced it
LIVE_AFTER = 60.0  # seconds of training; shorter trainings do not justify importing MLflow

log = logging.getLogger("songnet")


def explain(uri: str, error: Exception) -> str:
    """Describe an error of the store in one line."""
    line = (str(error) or type(error).__name__).splitlines()[0][:300]
    if "not a database" in line or "malformed" in line:
        line += "; move the file away"
    return f"MLFLOW_TRACKING_URI: {uri} cannot be used: {line}"


def initialise(uri: str, experiment: str, live: bool = True) -> dict[str, Any]:
    """Create the store's tables and the experiment before any run, since parallel creation fails.

    Args:
        uri: tracking URI.
        experiment: name of the experiment.
        live: whether trainings log their epochs live.

    Returns:
        Contents of experiment.json, which `songnet.tracking.live.LiveRun` reads.
    """
    try:
        open_experiment(uri, experiment)
    except Exception as error:
        log.warning("%s; the workflow continues without MLflow", explain(uri, error))
    return {"uri": uri, "experiment": experiment, "live_after": LIVE_AFTER if live else None}


def open_experiment(uri: str, name: str) -> str:
    """Find or create an experiment, make it the active one, and return its id.

    Raises:
        Exception: an MLflow error: the server cannot be reached, the experiment is deleted, or the
            store was moved from another folder.
    """
    import mlflow

    mlflow.set_tracking_uri(uri)
    if uri.startswith("sqlite:///"):  # a server chooses its own artifact location
        folder = Path(uri.removeprefix("sqlite:///")).resolve().parent
        _check_place(name, (folder / "mlartifacts" / name).as_uri())
    return str(mlflow.set_experiment(name).experiment_id)


def _check_place(name: str, place: str) -> None:
    """Create an experiment with its artifacts next to the store, or check where they are.

    MLflow keeps the absolute path from the creation, which is wrong after the folder was moved.
    """
    import mlflow

    experiment = mlflow.get_experiment_by_name(name)
    if experiment is None:
        mlflow.create_experiment(name, place)
    elif (kept := experiment.artifact_location) != place and kept.endswith(
        f"/mlartifacts/{quote(name)}"
    ):
        raise mlflow.MlflowException(
            f"its files are in another folder, {kept}; move the store and mlartifacts away"
        )
