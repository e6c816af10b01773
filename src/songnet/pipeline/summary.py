"""The last lines of a workflow run: what was done, the results at a glance, or what went wrong."""

import csv
from collections import Counter
from pathlib import Path
from statistics import fmean

from tabulate import tabulate

from songnet.formatting import in_percent
from songnet.io import read_json
from songnet.pipeline.next_steps import duration, next_steps

MOST_RULES = 8  # that the summary names


def success(
    results: str,
    note: str,
    tracking_uri: str,
    planned: set[str],
    done: list[str],
    kept: int,
    seconds: float,
) -> str:
    """What was done, accuracies of every model under every protocol, where to look.

    Reads results.csv without pandas: a run that has nothing to do shall end at once.

    Args:
        results: folder of the data set.
        note: of the data set.
        tracking_uri: of MLflow.
        planned: all rules of the run; what was not asked for may be there from an older one.
        done: the rule of each job that ran.
        kept: number of jobs whose products were there and up to date.
        seconds: that the run took.
    """
    lines = [f"SongNet: done in {duration(seconds)}.", _jobs(done, kept)]
    if "collect_results" in planned:
        lines += ["", _accuracies(Path(results, "report", "results.csv")), ""]
        lines += [note, ""] if note else []
    return "\n".join([*lines, *next_steps(results, tracking_uri, planned)])


def _jobs(done: list[str], kept: int) -> str:
    """How many jobs ran, by rule where there are few, and how many had nothing to do."""
    rules = sorted(Counter(done).items())
    ran = ", ".join(rule if n == 1 else f"{rule} × {n}" for rule, n in rules)
    if len(rules) > MOST_RULES:
        ran = f"{len(done)} by {len(rules)} rules"
    return f"Jobs that ran: {ran or 'none'}. Skipped, since up to date: {kept}."


def _accuracies(path: Path) -> str:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    protocols = list(dict.fromkeys(row["protocol"] for row in rows))
    cells = {(row["model"], row["protocol"]): _cell(row) for row in rows}
    posters = {row["model"]: _share(row["poster_accuracy"]) for row in rows}
    headers = ["test accuracy in %", *protocols]
    table = [
        [model, *(cells.get((model, protocol), "") for protocol in protocols)] for model in posters
    ]
    if any(posters.values()):
        headers.append("poster")
        claims = (in_percent(poster, 2) for poster in posters.values())
        table = [[*row, claim] for row, claim in zip(table, claims, strict=True)]
    return tabulate(table, headers, disable_numparse=True, colalign=["left"])


def _cell(row: dict[str, str]) -> str:
    if not row["accuracy"]:  # no test subset
        return f"{in_percent(_share(row['validation_accuracy']))} (validation)"
    accuracy, low, high = (
        in_percent(_share(row[name])) for name in ("accuracy", "ci_low", "ci_high")
    )
    return f"{accuracy} [{low}, {high}]"


def _share(text: str) -> float | None:
    return float(text) if text else None


def failure(
    results: str, started: float, done: list[str], kept: int, left: int, measured: list[str]
) -> str:
    """Repeat the error lines of the jobs that failed, and say what is done and what is left.

    Runs that are measured are shown, since the results table waits for all of them.

    Args:
        results: folder of the data set.
        started: of the run, seconds since 1970.
        done: the rule of each job that ran.
        kept: number of jobs whose products were there and up to date.
        left: number of jobs that failed or were not reached.
        measured: metrics.json of each run that is measured.
    """
    lines = []
    for log in sorted(Path(results, "logs").rglob("*.log")):
        if log.stat().st_mtime < started:
            continue
        last = log.read_text(errors="replace").rstrip().rpartition("\n")[2]
        if " error: " in last:
            lines.append(f"  error: {last.partition(' error: ')[2]} (log: {log})")
    head = "SongNet: stopped. What is finished is kept, and the next run goes on from there."
    lines = [head, f"{_jobs(done, kept)} Failed or not reached: {left}.", *lines]
    if measured:
        models = ",".join(sorted({Path(path).parts[-3] for path in measured}))
        lines += ["", _measured(measured), "", f"All tables of these: --config 'models=[{models}]'"]
    return "\n".join(lines)


def _measured(paths: list[str]) -> str:
    """Mean accuracy of each model on each split, and the number of its runs."""
    runs: dict[tuple[str, str], list[float]] = {}
    for path in sorted(paths):
        split, model = Path(path).parts[-4:-2]
        metrics = read_json(path)
        accuracy = metrics.get("test", metrics["validation"])["accuracy"]
        runs.setdefault((model, split), []).append(accuracy)
    splits = sorted({split for _, split in runs})
    rows = [
        [
            model,
            *(
                f"{in_percent(fmean(runs[model, split]))} ({len(runs[model, split])})"
                if (model, split) in runs
                else ""
                for split in splits
            ),
        ]
        for model in sorted({model for model, _ in runs})
    ]
    headers = ["accuracy in % (runs)", *splits]
    return tabulate(rows, headers, disable_numparse=True, colalign=["left"])
