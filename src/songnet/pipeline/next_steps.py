"""What a workflow run offers to type next: paths that work as they stand, without activating."""

import shutil
import sys
from pathlib import Path

from songnet.io import read_json


def duration(seconds: float) -> str:
    """Write a time as ``42 s``, ``3 min 12 s`` or ``2 h 5 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def command(name: str) -> str:
    """Path of a command of this environment; its name alone where the shell finds that one."""
    path = Path(sys.executable).parent / name
    if shutil.which(name) == str(path):
        return name
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def next_steps(results: str, tracking_uri: str, planned: set[str]) -> list[str]:
    """Lines on what to look at and to try; the report comes last.

    Args:
        results: folder of the data set.
        tracking_uri: of MLflow.
        planned: all rules of the run.
    """
    steps = {}
    if "choose_network" in planned:
        steps[f"{command('songnet')} serve"] = "a page that classifies music as it plays"
        steps[f"{command('songnet')} classify song.mp3"] = "the genres of files of your own"
    views = _views(results, tracking_uri) if "log_runs" in planned else {}
    local = tracking_uri.startswith("sqlite:")
    if views:
        steps[command("mlflow") + " ui" if local else tracking_uri] = "every run in MLflow"
    width = max(map(len, steps), default=0)
    lines = [f"  {step:{width}}   {what}" for step, what in steps.items()]
    lines += [f"    {protocol:{width - 2}}   {address}" for protocol, address in views.items()]
    lines = ["What to try next:", *lines] if lines else []
    lines.append(f"Everything that was made is in {results}.")
    if "library" in planned:
        lines.append("The library's table: results/library/library.parquet")
    if "report_page" in planned:
        lines.append(f"The report, for a browser: {Path(results, 'report', 'index.html')}")
    return lines


def _views(results: str, tracking_uri: str) -> dict[str, str]:
    """Addresses of MLflow's tables of runs, by protocol; ``mlflow ui`` listens at port 5000."""
    server = "http://127.0.0.1:5000" if tracking_uri.startswith("sqlite:") else tracking_uri
    pages = read_json(Path(results, "mlflow", "views.json"))
    return {protocol: f"{server.rstrip('/')}/{page}" for protocol, page in pages.items()}
