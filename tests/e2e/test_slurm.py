"""profiles/slurm on a real SLURM: a run with a kill, an scancel and a job over its memory."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import yaml
from studies.project import copy_project

from songnet.library.tag import tag_library
from tests.conftest import Snakemake, config, small, start_snakemake
from tests.e2e import slurm
from tests.e2e.slurm import Job

pytestmark = pytest.mark.skipif(bool(slurm.lacking()), reason=slurm.lacking())


class Survived(NamedTuple):
    """A finished run, and SLURM's jobs when snakemake was killed and at the end."""

    project: Path
    killed: list[Job]
    jobs: list[Job]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a cluster and return its environment."""
    with slurm.cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture(scope="module")
def survived(
    environment: dict[str, str],
    archives: Path,
    snakemake: Snakemake,
    tmp_path_factory: pytest.TempPathFactory,
) -> Survived:
    """Run the workflow, kill snakemake during training, resume, then cancel a training."""
    project = small(copy_project(tmp_path_factory.mktemp("survived")))
    edit_profile(project / "profiles/slurm/config.yaml")
    settings = config(archives, models="[crnn]", protocols="[artist]")
    arguments = ["--profile", "profiles/slurm", *settings, "--", "results_table"]
    with running(project, environment, arguments) as first:
        wait_for(lambda: trainings(environment, "RUNNING"), first)
        first.kill()
    killed = slurm.queue(environment)
    # Its jobs are paused, so that they do not end before the next snakemake starts.
    left = [job for job in killed if job.state == "RUNNING"]
    for job in left:
        slurm.signal(environment, job, "STOP")
    unlocked = snakemake(project, "--unlock", *settings)
    assert unlocked.returncode == 0, unlocked.stdout
    with running(project, environment, arguments) as second:
        before = {job.number for job in killed}
        cancelled = wait_for(
            lambda: [job for job in trainings(environment, "RUNNING") if job.number not in before],
            second,
        )
        for job in left:
            slurm.signal(environment, job, "CONT")
        slurm.cancel(environment, cancelled[0])
        assert second.wait(900) == 0, (project / "snakemake.log").read_text()[-5000:]
    return Survived(project, killed, slurm.queue(environment))


def edit_profile(path: Path) -> None:
    """Edit the two lines, give shards too little memory at first, and poll jobs more often."""
    profile = yaml.safe_load(path.read_text())
    assert list(profile["default-resources"]) == ["slurm_partition", "slurm_account"]
    # Without accounting there are no accounts.
    profile["default-resources"] = {"slurm_partition": "main"}
    profile["set-resources"]["mel_shard"] = {"mem_mb": "50 * 20 ** (attempt - 1)"}
    profile["slurm-init-seconds-before-status-checks"] = 1
    path.write_text(yaml.safe_dump(profile))


@contextmanager
def running(
    project: Path, environment: dict[str, str], arguments: list[str]
) -> Iterator[subprocess.Popen[str]]:
    """Start snakemake, which writes to snakemake.log."""
    process = start_snakemake(project, *arguments, output="snakemake.log", **environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def trainings(environment: dict[str, str], *states: str) -> list[Job]:
    """Return the jobs of the rule train_crnn in some states."""
    jobs = slurm.queue(environment)
    return [job for job in jobs if job.comment.startswith("rule_train") and job.state in states]


def wait_for(found: Callable[[], list[Job]], process: subprocess.Popen[str]) -> list[Job]:
    """Wait for such jobs while snakemake is running."""
    end = time.monotonic() + 600
    while not (jobs := found()):
        assert process.poll() is None, "snakemake ended before its time"
        assert time.monotonic() < end, "SLURM starts no such job"
        time.sleep(0.2)
    return jobs


def test_slurm_results_equal_local_run(survived: Survived, finished: Path) -> None:
    here, there = (
        pd.read_csv(project / "results/local/report/results.csv").drop(columns="train_seconds")
        for project in (finished, survived.project)
    )
    same = here[(here["protocol"] == "artist") & (here["model"] == "crnn")]
    pd.testing.assert_frame_equal(same.reset_index(drop=True), there, check_exact=True)


def test_job_over_memory_is_retried_with_more(survived: Survived) -> None:
    shards = [job for job in survived.jobs if "mel" in job.comment]
    assert [(job.state, job.memory) for job in shards] == [
        ("FAILED", "100M"),
        ("COMPLETED", "2000M"),
    ]
    logs = list((survived.project / ".snakemake/slurm_logs").rglob(f"{shards[0].number}.log"))
    assert "memory limit" in logs[0].read_text()


def test_cancelled_training_is_retried_with_more_memory(survived: Survived) -> None:
    (cancelled,) = [job for job in survived.jobs if job.state == "CANCELLED"]
    again = [job for job in survived.jobs if job.comment == cancelled.comment][-1]
    assert again.state == "COMPLETED"
    first, second = (int(job.memory.removesuffix("M")) for job in (cancelled, again))
    assert second == 2 * first


def test_killed_snakemake_resumes_beside_its_jobs(survived: Survived) -> None:
    left = {job.number for job in survived.killed if job.state == "RUNNING"}
    assert left
    again = [
        job for job in survived.jobs if job.number > max(job.number for job in survived.killed)
    ]
    assert {job.comment.partition("_wildcards")[0] for job in again} >= {
        "rule_train_crnn", "rule_evaluate_crnn",
    }  # fmt: skip
    # Jobs that finished before the kill are not repeated.
    assert not [job for job in again if "mel" in job.comment]


def test_trainings_request_one_gpu_each(survived: Survived) -> None:
    assert {job.gpus for job in survived.jobs if "train_crnn" in job.comment} == {"gres:gpu:1"}
    assert {job.gpus for job in survived.jobs if "train_crnn" not in job.comment} == {"N/A"}


def test_library_table_equals_songnet_tag(
    environment: dict[str, str], trained: Path, clips: Path, tmp_path: Path
) -> None:
    """One of three shares is cancelled, and tried again."""
    project = copy_project(tmp_path / "project")
    edit_profile(project / "profiles/slurm/config.yaml")
    before = {job.number for job in slurm.queue(environment)}
    settings = [f"library={clips}", f"tagging={{jobs: 3, model: {trained}}}"]
    arguments = ["--profile", "profiles/slurm", "--config", *settings, "--", "library"]

    def shares(*states: str) -> list[Job]:
        jobs = [job for job in slurm.queue(environment) if job.number not in before]
        return [job for job in jobs if "library_shard" in job.comment and job.state in states]

    with running(project, environment, arguments) as process:
        slurm.cancel(environment, wait_for(lambda: shares("PENDING", "RUNNING"), process)[0])
        assert process.wait(900) == 0, (project / "snakemake.log").read_text()[-5000:]
    assert (len(shares("COMPLETED")), len(shares("CANCELLED"))) == (3, 1)
    local = tmp_path / "library.parquet"
    tag_library([str(clips)], local, str(trained), 30.0, 2)
    assert (project / "results/library/library.parquet").read_bytes() == local.read_bytes()
    assert len(pd.read_parquet(local)) == len(list(clips.iterdir()))
