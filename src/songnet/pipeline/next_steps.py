"""Commands suggested after a workflow run, usable without activating the environment."""

import shutil
import sys
from pathlib import Path

from songnet.io import read_json


def duration(seconds: float) -> str:
    """Format a duration as ``42 s``, ``3 min 12 s`` or ``2 h 5 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def command(name: str) -> str:
    """Return the path of a command of this environment, or its name if it is on PATH."""
    path = Path(sys.executable).parent / name
    if shutil.which(name) == str(path):
        return name
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def next_steps(results: str, tracking_uri: str, planned: set[str]) -> list[str]:
    """Return lines that suggest commands and point to the results; the report comes last.

    Args:
        results: results folder of the data set.
        tracking_uri: MLflow's tracking URI.
        planned: names of all rules of the run.
    """
    steps = {}
    if "choose_network" in planned:
        steps[f"{command('songnet')} serve"] = "open a page that classifies music as it plays"
        steps[f"{command('songnet')} classify song.mp3"] = "classify your own files"
    views = _views(results, tracking_uri) if "log_runs" in planned else {}
    local = tracking_uri.startswith("sqlite:")
    if views:
        steps[command("mlflow") + " ui" if local else tracking_uri] = "compare all runs in MLflow"
    width = max(map(len, steps), default=0)
    lines = [f"  {step:{width}}   {what}" for step, what in steps.items()]
    lines += [f"    {protocol:{width - 2}}   {address}" for protocol, address in views.items()]
    lines = ["Next steps:", *lines] if lines else []
    lines.append(f"All results are in {results}.")
    if "library" in planned:
        lines.append("Table of the library: results/library/library.parquet")
    if "report_page" in planned:
        lines.append(f"Report, to open in a browser: {Path(results, 'report', 'index.html')}")
    return lines


def _views(results: str, tracking_uri: str) -> dict[str, str]:
    """Return the URL of MLflow's table of runs per protocol; ``mlflow ui`` uses port 5000."""
    server = "http://127.0.0.1:5000" if tracking_uri.startswith("sqlite:") else tracking_uri
    pages = read_json(Path(results, "mlflow", "views.json"))
    return {protocol: f"{server.rstrip('/')}/{page}" for protocol, page in pages.items()}
