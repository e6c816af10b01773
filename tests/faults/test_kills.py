"""Kills: kill -9 at a random moment, then another run."""

import random
import time
from collections.abc import Callable

import pandas as pd
import psutil
import pytest

from tests.conftest import processes
from tests.faults.conftest import Place

SNAKEMAKE = ""
# Rule of the job that is killed, and target of the run: what needs no killed job goes on, so that
# nothing later may be part of it. In the order in which data flow.
KILLS = {
    "snakemake among spectrograms": (SNAKEMAKE, "results/local/tracks.parquet"),
    "a mel job": ("mel_shard", "results/local/tracks.parquet"),
    "a feature job": ("fma_features_shard", "results/local/features/fma.parquet"),
    "snakemake among trainings": (SNAKEMAKE, "results_table"),
    "a training": ("train_crnn", "results_table"),
    "an evaluation": ("evaluate", "results_table"),
    "the table": ("results_table", "results_table"),
    "the figures": ("figures", "figures"),
    "the analysis": ("analyse_errors", "results/local/report/analysis.html"),
    "the report": ("report_page", "report_page"),
    "the upload": ("log_runs", "results/local/mlflow/runs.json"),
}


def kill_job(place: Place, rule: str, rng: random.Random, target: str) -> None:
    """Start a run and kill a job of a rule at a random moment of it.

    Moments are counted in processor time, which depends less on what else the machine does.
    """
    took = [pd.read_csv(path, sep="\t")["cpu_time"].mean() for path in
            (place.results / "benchmarks").rglob("*.tsv") if rule in str(path)]  # fmt: skip
    moment = rng.uniform(0, 0.5 * min(took, default=2.0))
    workflow = place.start(target)
    while not any(kill_after(moment, process) for process in processes(workflow, rule)):
        assert workflow.poll() is None, f"no job of {rule} could be killed: {place.output()}"
        time.sleep(0.02)
    assert workflow.wait(900) != 0, place.output()


def kill_after(seconds: float, process: psutil.Process) -> bool:
    """Kill a process that has computed for so long; whether it was."""
    try:
        if sum(process.cpu_times()[:2]) < seconds:
            return False
        process.kill()
    except psutil.Error:
        return False
    return True


def kill_snakemake(place: Place, rng: random.Random, *targets: str) -> None:
    """Start a run and kill Snakemake itself at a random moment of its jobs, which go on."""
    workflow = place.start(*targets)
    finished = rng.randrange(3)
    while "Execute " not in place.output() or place.output().count("Finished jobid") < finished:
        assert workflow.poll() is None, place.output()
        time.sleep(0.05)
    time.sleep(rng.uniform(0, 1.5))
    assert workflow.poll() is None, "the run ended before it could be killed"
    workflow.kill()
    workflow.wait()


@pytest.mark.short
def test_kill_of_snakemake_and_of_a_job_while_data_are_made(empty: Place, made: Place) -> None:
    """As if nothing had been."""
    rng = random.Random(1)
    kill_job(empty, "mel_shard", rng, "data")
    kill_snakemake(empty, rng, "data")
    empty.unlock()
    empty.finish("data")
    empty.check_like(made)


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2])
def test_kills_in_a_row(
    place: Place, quiet: Place, seed: int, cases: Callable[[str], None]
) -> None:
    """A run that is killed at every stage, itself or one of its jobs, and started again.

    When snakemake is killed, its jobs go on while the next run does the same.
    """
    rng = random.Random(seed)
    place.clear()
    for name in KILLS:
        cases(f"kill of {name}")
    for rule, target in KILLS.values():
        if rule == SNAKEMAKE:
            kill_snakemake(place, rng, target)
            place.unlock()
        else:
            kill_job(place, rule, rng, target)
        place.check_no_half(quiet)
    place.finish()
    place.check_like(quiet)
