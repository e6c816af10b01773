"""The last lines of a workflow run: the results at a glance, or what went wrong."""

import csv
from pathlib import Path

from tabulate import tabulate


def success(results: str, note: str) -> str:
    """Accuracies of every model under every protocol, the data set's note, where products are.

    Reads results.csv without pandas: a run that has nothing to do shall end at once.
    """
    report = Path(results, "report")
    lines = [f"SongNet: done. Everything is in {results}/"]
    if (report / "results.csv").exists():
        lines += ["", _accuracies(report / "results.csv"), "", *filter(None, [note])]
        lines.append("  mlflow ui   shows every run")
    for name in ("results.md", "accuracy.png", "confusion", "analysis.html", "filters.html"):
        if (report / name).exists():
            lines.append(f"  {report / name}")
    return "\n".join(lines)


def _accuracies(path: Path) -> str:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    protocols = list(dict.fromkeys(row["protocol"] for row in rows))
    cells = {(row["model"], row["protocol"]): _cell(row) for row in rows}
    posters = {row["model"]: _percent(row["poster_accuracy"]) for row in rows}
    table = [
        [model, *(cells.get((model, protocol), "") for protocol in protocols), poster]
        for model, poster in posters.items()
    ]
    headers = ["test accuracy in %", *protocols, "poster"]
    return tabulate(table, headers, disable_numparse=True, colalign=["left"])


def _cell(row: dict[str, str]) -> str:
    if not row["accuracy"]:
        return "no test part"
    return f"{_percent(row['accuracy'])} [{_percent(row['ci_low'])}, {_percent(row['ci_high'])}]"


def _percent(fraction: str) -> str:
    return f"{100 * float(fraction):.1f}" if fraction else ""


def failure(results: str, started: float) -> str:
    """Repeat the error lines of the jobs that failed since ``started`` (seconds since 1970)."""
    lines = []
    for log in sorted(Path(results, "logs").rglob("*.log")):
        if log.stat().st_mtime < started:
            continue
        last = log.read_text(errors="replace").rstrip().rpartition("\n")[2]
        if " error: " in last:
            lines.append(f"  error: {last.partition(' error: ')[2]} (log: {log})")
    head = "SongNet: stopped. What is finished is kept, and the next run goes on from there."
    return "\n".join([head, *lines])
