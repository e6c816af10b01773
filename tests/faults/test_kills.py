"""Killed: kill -9 at a random moment, then another run."""

import random
import subprocess
import time

import pandas as pd
import psutil
import pytest

from tests.faults.conftest import Place


def jobs(workflow: subprocess.Popen[str], rule: str) -> list[psutil.Process]:
    """Processes of a run that execute the script of a rule."""
    try:
        children = psutil.Process(workflow.pid).children(recursive=True)
        return [p for p in children if any(part.endswith(f".{rule}.py") for part in p.cmdline())]
    except psutil.Error:
        return []


def kill_job(place: Place, rule: str, rng: random.Random, *targets: str) -> None:
    """Start a run and kill a job of a rule at a random moment of it."""
    took = [pd.read_csv(path, sep="\t")["s"].mean() for path in
            (place.results / "benchmarks").rglob("*.tsv") if rule in str(path)]  # fmt: skip
    workflow = place.start(*targets)
    killed = False
    while not killed:
        assert workflow.poll() is None, f"no job of {rule} could be killed: {place.output()}"
        found = jobs(workflow, rule)
        if found:
            time.sleep(rng.uniform(0, 0.5 * min(took, default=2.0)))
            found = [process for process in found if process.is_running()]
        for process in found[:1]:
            process.kill()
            killed = True
        time.sleep(0.02)
    assert workflow.wait(300) != 0, place.output()


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


def test_kill_of_snakemake_and_of_a_job_while_data_are_made(empty: Place, made: Place) -> None:
    """The short form, for every `make test`: as if nothing had been."""
    rng = random.Random(1)
    kill_job(empty, "mel_shard", rng, "data")
    kill_snakemake(empty, rng, "data")
    locked = empty.run("data")
    assert locked.returncode != 0 and "--unlock" in locked.stdout
    assert empty.snakemake(empty.project, "--unlock", *empty.arguments()).returncode == 0
    last = empty.run("data")
    assert last.returncode == 0, last.stdout[-4000:]
    empty.check_like(made)
    assert "Nothing to be done" in empty.run("data").stdout


RESULTS = "results_table"
# Rule, stage that is made anew, target of the runs.
STAGES = {
    "a mel job": ("mel_shard", "spectrograms", RESULTS),
    "a feature job": ("fma_features_shard", "features", RESULTS),
    "a training": ("train_crnn", "training", RESULTS),
    "the evaluation": ("evaluate", "evaluation", RESULTS),
    "the table": ("results_table", "table", RESULTS),
    "the figures": ("figures", "figures", "results/local/report/accuracy.png"),
    "the page": ("analyse_errors", "page", "results/local/report/analysis.html"),
    "the upload": ("log_runs", "upload", "results/local/mlflow/artist.json"),
}


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("stage", STAGES)
def test_kill_of(place: Place, quiet: Place, stage: str, seed: int) -> None:
    rule, anew, target = STAGES[stage]
    place.remove(anew)
    kill_job(place, rule, random.Random(seed), target)
    run = place.run(target)
    assert run.returncode == 0, run.stdout[-4000:]
    place.check_like(quiet)
    assert "Nothing to be done" in place.run(target).stdout


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2])
def test_kill_of_snakemake_alone(place: Place, quiet: Place, seed: int) -> None:
    """Its jobs go on while the next run does the same."""
    place.remove("spectrograms" if seed % 2 else "training")
    kill_snakemake(place, random.Random(seed), RESULTS)
    locked = place.run(RESULTS)
    assert locked.returncode != 0 and "--unlock" in locked.stdout
    assert place.snakemake(place.project, "--unlock", *place.arguments()).returncode == 0
    run = place.run(RESULTS)
    assert run.returncode == 0, run.stdout[-4000:]
    place.check_like(quiet)
    assert "Nothing to be done" in place.run(RESULTS).stdout
