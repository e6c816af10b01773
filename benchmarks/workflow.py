"""Overhead of Snakemake, start-up and imports in a run of the demo."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from studies.project import copy_project

from benchmarks.measure import Section, in_turn, spread

ROOT = Path(__file__).parents[1]
CORES = len(os.sched_getaffinity(0))
# One protocol and one seed: the same rules as the whole demo, but fast enough to repeat.
SHORT = ["--config", "protocols=[artist]", "seeds=[1]"]


def run(project: Path, *arguments: str, records: Path | None = None) -> float:
    """Run `snakemake` on the demo in a folder and return the seconds."""
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    if records is not None:
        records.mkdir()
        environment |= {
            "STARTUP_RECORDS": str(records), "PYTHONPATH": str(ROOT / "benchmarks/startup"),
        }  # fmt: skip
    before = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "--cores", str(CORES), *arguments]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
    return time.perf_counter() - before


def job_times(records: Path) -> dict[str, list[tuple[float, float]]]:
    """Return CPU seconds of each rule's jobs: start-up with imports, and total."""
    jobs = defaultdict(list)
    for path in records.glob("*.json"):
        record = json.loads(path.read_text())
        script = Path(record["command"][0])
        if script.parent.name == "scripts":  # .snakemake/scripts/tmpabc.train_crnn.py
            jobs[script.stem.partition(".")[2]].append((record["startup"], record["cpu"]))
    return jobs


def measure(folder: Path, repeats: int) -> list[Section]:
    """Run the whole demo once, in ``folder/project``, and a short form several times."""
    whole, short = (copy_project(folder / name) for name in ("project", "short"))
    wall = run(whole, records=folder / "whole")
    jobs = job_times(folder / "whole")
    startup, cpu = _total(jobs)
    again = in_turn(
        {"no-op": lambda: run(whole), "dry run": lambda: run(whole, "-n")},
        repeats,
        time.perf_counter,
    )
    shutil.copytree(whole / "resources", short / "resources")
    shares, overheads = [], []
    for repeat in range(repeats):
        for name in ("results", ".snakemake", "mlartifacts"):
            shutil.rmtree(short / name, ignore_errors=True)
        (short / "mlflow.db").unlink(missing_ok=True)
        records = folder / f"short-{repeat}"
        seconds = run(short, *SHORT, records=records)
        short_startup, short_cpu = _total(job_times(records))
        shares.append(100 * short_startup / short_cpu)
        overheads.append(seconds * CORES / short_cpu)
    time_over = f"wall time × {CORES} cores / CPU time of the jobs"
    share = "start-up and imports, % of the jobs' CPU time"
    rows = {
        f"the whole demo, once: {time_over}": f"{wall * CORES / cpu:.2f}",
        f"the whole demo, once: {share}": f"{100 * startup / cpu:.1f}",
        f"one protocol and one seed: {time_over}": spread(overheads),
        f"one protocol and one seed: {share}": spread(shares, 1),
        "nothing to do, % of the whole demo's time": spread(100 * again["no-op"] / wall, 1),
        "dry run, % of the whole demo's time": spread(100 * again["dry run"] / wall, 1),
        "nothing to do, s": spread(again["no-op"], 1),
        "dry run, s": spread(again["dry run"], 1),
    }
    largest = sorted(jobs.items(), key=lambda item: -np.sum(item[1], axis=0)[1])[:8]
    per_rule = [
        f"{rule} {len(times)} × {np.mean(times, axis=0)[1]:.1f} s "
        f"({100 * np.divide(*np.sum(times, axis=0)):.0f} %)"
        for rule, times in largest
    ]
    return [
        Section(
            "The workflow",
            f"The whole demo: {sum(map(len, jobs.values()))} jobs on {CORES} cores, "
            f"{wall / 60:.1f} minutes. Its largest rules (jobs × CPU time, share of "
            f"start-up): {', '.join(per_rule)}.",
            [{"what": name, "value": value} for name, value in rows.items()],
        )
    ]


def _total(jobs: dict[str, list[tuple[float, float]]]) -> tuple[float, float]:
    """Return CPU seconds of all jobs: start-up with imports, and total."""
    startup, cpu = np.sum([times for rule in jobs.values() for times in rule], axis=0)
    return float(startup), float(cpu)
