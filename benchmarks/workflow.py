"""What Snakemake, start-up and imports add to the work of the demo's jobs."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.measure import Section, in_turn, spread

ROOT = Path(__file__).parents[1]
CORES = len(os.sched_getaffinity(0))
# The demo with one protocol and one seed: the same rules, in a time that allows repeats.
DEMO = ["--config", "protocols=[artist]", "seeds=[1]"]


def copy_project(folder: Path) -> Path:
    """Copy what a run needs, and the demo's archives where they are made already."""
    for name in ("src", "workflow", "config", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", folder)
    if (ROOT / "resources/demo").exists():
        shutil.copytree(ROOT / "resources/demo", folder / "resources/demo")
    return folder


def run(project: Path, *arguments: str, records: Path | None = None) -> float:
    """Run `snakemake` on the demo in a folder; seconds."""
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    if records is not None:
        records.mkdir()
        environment |= {
            "STARTUP_RECORDS": str(records), "PYTHONPATH": str(ROOT / "benchmarks/startup"),
        }  # fmt: skip
    before = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "--cores", str(CORES), *arguments, *DEMO]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])
    return time.perf_counter() - before


def job_times(records: Path) -> dict[str, list[tuple[float, float]]]:
    """For each rule the processor seconds of its jobs: start-up with imports, and all."""
    jobs = defaultdict(list)
    for path in records.glob("*.json"):
        record = json.loads(path.read_text())
        script = Path(record["command"][0])
        if script.parent.name == "scripts":  # .snakemake/scripts/tmpabc.train_crnn.py
            jobs[script.stem.partition(".")[2]].append((record["startup"], record["cpu"]))
    return jobs


def measure(folder: Path, repeats: int) -> list[Section]:
    """Run the demo, then ask for it again; ``folder/project`` keeps its results."""
    walls, shares, overheads = [], [], []
    project = folder / "project"
    project.mkdir()
    run(copy_project(project), "make_demo")
    for repeat in range(repeats):
        for name in ("results", ".snakemake", "mlartifacts"):
            shutil.rmtree(project / name, ignore_errors=True)
        (project / "mlflow.db").unlink(missing_ok=True)
        records = folder / f"records-{repeat}"
        walls.append(run(project, records=records))
        jobs = job_times(records)
        startup, cpu = np.sum([times for rule in jobs.values() for times in rule], axis=0)
        shares.append(100 * startup / cpu)
        overheads.append(walls[-1] * CORES / cpu)
    again = in_turn(
        {"no-op": lambda: run(project), "dry run": lambda: run(project, "-n")},
        repeats,
        time.perf_counter,
    )
    rows = {
        f"the demo's time, over its jobs' processor time on {CORES} cores": spread(overheads),
        "start-up and imports, % of the jobs' processor time": spread(shares, 1),
        "nothing to do, % of the demo's time": spread(100 * again["no-op"] / np.median(walls), 1),
        "dry run, % of the demo's time": spread(100 * again["dry run"] / np.median(walls), 1),
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
            f"The demo with one protocol and one seed, {sum(map(len, jobs.values()))} jobs on "
            f"{CORES} cores, its archives made before. The largest rules (jobs × processor time, "
            f"share of start-up): {', '.join(per_rule)}.",
            [{"what": name, "value": value} for name, value in rows.items()],
        )
    ]
