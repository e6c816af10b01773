"""A single-node SLURM cluster on this machine, for the duration of a test."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.e2e.conftest import free_port

DAEMONS = ("munged", "slurmctld", "slurmd")
# Eight cores and four GPUs are simulated: SLURM counts them, and jobs share what there is. Without
# cgroups, which containers lack, slurmd checks memory every second and kills jobs over the limit.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MinJobAge=3600
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=32000 Gres=gpu:4 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP
"""


class Job(NamedTuple):
    """A job as reported by squeue."""

    number: int
    state: str
    comment: str
    memory: str
    gpus: str


def lacking() -> str:
    """Return why no cluster can be started here, or an empty string."""
    if missing := [name for name in (*DAEMONS, "sbatch") if shutil.which(name) is None]:
        return f"SLURM is not installed (no {', '.join(missing)})"
    return "" if os.geteuid() == 0 else "SLURM's daemons need root"


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start munged, slurmctld and slurmd with all of their files in ``folder``.

    Yields:
        Environment variables with which SLURM's commands find the cluster.
    """
    host = socket.gethostname().partition(".")[0]
    ports = {"controller_port": free_port(), "node_port": free_port()}
    (folder / "slurm.conf").write_text(CONFIGURATION.format(host=host, folder=folder, **ports))
    (folder / "gres.conf").write_text(f"NodeName={host} Name=gpu File={folder}/gpu[0-3]\n")
    for name in ("gpu0", "gpu1", "gpu2", "gpu3"):
        (folder / name).touch()
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    environment = {"SLURM_CONF": str(folder / "slurm.conf")}
    # Inside a job, Snakemake's plugin removes SLURM's variables before it calls srun.
    srun = folder / "bin/srun"
    srun.parent.mkdir()
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    srun.chmod(0o755)
    environment["PATH"] = f"{srun.parent}:{os.environ['PATH']}"
    munge = ["--foreground", "--force", f"--socket={folder}/munge.socket"]
    munge += [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "seed")]
    daemons = []
    try:
        for name, arguments in zip(DAEMONS, (munge, ["-D"], ["-D"]), strict=True):
            with (folder / f"{name}.log").open("w") as log:
                daemons.append(
                    subprocess.Popen(
                        [name, *arguments], env=os.environ | environment, stdout=log, stderr=log
                    )
                )
            if name == "munged":
                _wait(lambda: (folder / "munge.socket").exists(), folder / "munged.log")
        _wait(lambda: _ask(environment, "sinfo", "-h", "-o", "%T") == "idle", folder / "slurmd.log")
        yield environment
        _ask(environment, "scancel", "--partition=main")
        _wait(lambda: not _ask(environment, "squeue", "-h"), folder / "slurmctld.log")
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(60)


def queue(environment: dict[str, str]) -> list[Job]:
    """Return all jobs of the last minutes, including finished ones, in order of submission."""
    columns = "jobid:20|,state:20|,comment:200|,minmemory:20|,tres-per-job:40"
    lines = _ask(environment, "squeue", "-h", "--states=all", "-O", columns).splitlines()
    fields = [[field.strip() for field in line.split("|")] for line in lines]
    return sorted(Job(int(number), *others) for number, *others in fields)


def signal(environment: dict[str, str], job: Job, name: str) -> None:
    """Send a signal to all processes of a job: its script and the steps that it started."""
    _ask(environment, "scancel", "--full", f"--signal={name}", str(job.number))


def cancel(environment: dict[str, str], job: Job) -> None:
    """Cancel a job as a user would."""
    _ask(environment, "scancel", str(job.number))


def _ask(environment: dict[str, str], *command: str) -> str:
    answer = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )
    return answer.stdout.strip()


def _wait(condition: Callable[[], bool], log: Path, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
