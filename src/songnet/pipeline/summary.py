"""Summary printed at the end of a workflow run: jobs, accuracies or errors, and next steps."""

import csv
from collections import Counter
from pathlib import Path
from statistics import fmean

from tabulate import tabulate

from songnet.formatting import from_csv_text, in_percent, kind_of_reason
from songnet.io import read_json
from songnet.pipeline.next_steps import duration, next_steps

MOST_RULES = 8  # rules listed by name
MOST_REASONS = 6  # quarantine reasons or errors listed; the files contain all of them


def success(
    results: str,
    note: str,
    tracking_uri: str,
    planned: set[str],
    done: list[str],
    kept: int,
    seconds: float,
    left_out: dict[str, str],
) -> str:
    """Summarise a successful run: jobs, test accuracy per model and protocol, next steps.

    results.csv is read without pandas, so that a run with nothing to do ends at once.

    Args:
        results: results folder of the data set.
        note: note of the data set.
        tracking_uri: MLflow's tracking URI.
        planned: names of all rules of the run. The outputs of other rules are not mentioned, since
            they may stem from an older run.
        done: rule of each job that ran.
        kept: number of jobs skipped because their outputs were up to date.
        seconds: duration of the run.
        left_out: reason why a protocol was skipped, by protocol.
    """
    lines = [f"SongNet: done in {duration(seconds)}.", _jobs(done, kept)]
    lines += [f"Skipped the protocol {name}: {lack}." for name, lack in left_out.items()]
    if "index_tracks" in planned:
        lines += _quarantined(Path(results, "quarantine.csv"))
    if "collect_results" in planned:
        lines += ["", _accuracies(Path(results, "report", "results.csv")), ""]
        lines += [note, ""] if note else []
    return "\n".join([*lines, *next_steps(results, tracking_uri, planned)])


def _jobs(done: list[str], kept: int) -> str:
    """Describe how many jobs ran, per rule if there are few rules, and how many were skipped."""
    rules = sorted(Counter(done).items())
    ran = ", ".join(rule if n == 1 else f"{rule} × {n}" for rule, n in rules)
    if len(rules) > MOST_RULES:
        ran = f"{len(done)} by {len(rules)} rules"
    return f"Jobs run: {ran or 'none'}. Skipped as up to date: {kept}."


def _quarantined(path: Path) -> list[str]:
    """Describe how many tracks are quarantined, and why; empty if there are none."""
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return []
    files: dict[str, list[str]] = {}
    for row in rows:
        files.setdefault(kind_of_reason(row["reason"]), []).append(from_csv_text(row["file_name"]))
    reasons = sorted(files.items(), key=lambda item: -len(item[1]))
    lines = [f"  {len(names)} × {reason}{_suffixes(reason, names)}" for reason, names in reasons]
    if len(lines) > MOST_REASONS:
        others = sum(len(names) for _, names in reasons[MOST_REASONS:])
        lines[MOST_REASONS:] = [f"  {others} for other reasons"]
    head = f"Quarantined: {len(rows):,} files or tracks, listed with reasons in {path}:"
    return [head, *lines] if rows else []


def _suffixes(reason: str, names: list[str]) -> str:
    """Describe the file types behind a reason, unless all files are MP3s."""
    kinds = Counter(Path(name).suffix.lower() for name in names if name)
    if set(kinds) <= {"", ".mp3"} or len(kinds) > MOST_REASONS or "*" in reason:
        return ""
    return f" ({', '.join(f'{suffix} {count}' for suffix, count in kinds.most_common() if suffix)})"


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
    """Summarise a failed run: jobs, accuracies so far, and the errors of the failed jobs.

    Accuracies are shown because the results table is only written once all runs are evaluated.

    Args:
        results: results folder of the data set.
        started: start of the run, seconds since 1970.
        done: rule of each job that ran.
        kept: number of jobs skipped because their outputs were up to date.
        left: number of jobs that failed or did not start.
        measured: path of metrics.json of each evaluated run.
    """
    errors: dict[str, list[Path]] = {}
    for log in sorted(Path(results, "logs").rglob("*.log")):
        if log.stat().st_mtime < started:
            continue
        last = log.read_text(errors="replace").rstrip().rpartition("\n")[2]
        if " error: " in last:
            errors.setdefault(last.partition(" error: ")[2], []).append(log)
    head = "SongNet: stopped. Finished jobs are kept; the next run continues from there."
    lines = [head, f"{_jobs(done, kept)} Failed or not started: {left}."]
    if measured:
        models = ",".join(sorted({Path(path).parts[-3] for path in measured}))
        lines += ["", _measured(measured), "", f"Full tables: --config 'models=[{models}]'"]
    # Errors come last, where people look first.
    return "\n".join([*lines, *_errors(errors)])


def _errors(errors: dict[str, list[Path]]) -> list[str]:
    """Return one line per distinct error, with the log of the first job that failed with it."""
    lines = []
    for message, logs in errors.items():
        others = f", and {len(logs) - 1} more" if len(logs) > 1 else ""
        lines.append(f"  error: {message} (log: {logs[0]}{others})")
    if len(lines) > MOST_REASONS:
        lines[MOST_REASONS:] = [f"  and {len(lines) - MOST_REASONS} other errors"]
    return lines


def _measured(paths: list[str]) -> str:
    """Return a table of the mean accuracy of each model on each split and its number of runs."""
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
