"""profiles/kubernetes with a fake kubectl that validates manifests and runs their jobs locally."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pandas as pd
import pytest
import yaml

from tests.conftest import ROOT, Snakemake, config, small

VERSION = "1.31"
# Replaces an API server and a node: it validates a manifest against Kubernetes' own schema, runs
# the container's command, and answers in kubectl's format.
KUBECTL = """\
#!{python}
import json, os, pathlib, signal, subprocess, sys
import kubernetes_validate, yaml
folder = pathlib.Path({folder!r})
verb, *arguments = sys.argv[1:]
if verb == "create":
    manifest = yaml.safe_load(sys.stdin)
    kubernetes_validate.validate(manifest, {version!r}, strict=True)
    name = manifest["metadata"]["generateName"] + str(len(list(folder.glob("*.json"))))
    (folder / f"{{name}}.json").write_text(json.dumps(manifest))
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    shell = 'trap "" HUP; "$@"; echo $? > ' + str(folder / f"{{name}}.rc")
    with (folder / f"{{name}}.log").open("w") as log:
        pod = subprocess.Popen(
            ["sh", "-c", shell, "sh", *container["command"]], cwd=container["workingDir"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={{"PATH": os.environ["PATH"]}},  # a pod inherits nothing
        )
    (folder / f"{{name}}.pid").write_text(str(pod.pid))
    print(name, end="")
elif verb == "get":
    name = arguments[1]
    code = folder / f"{{name}}.rc"
    state = "" if not code.exists() else "Complete" if code.read_text() == "0\\n" else "Failed"
    if (folder / f"{{name}}.json").exists():
        print(name, state)
elif verb == "delete":
    for name in arguments[3:]:
        os.killpg(int((folder / f"{{name}}.pid").read_text()), signal.SIGKILL)
        (folder / f"{{name}}.json").unlink()
"""


@pytest.fixture
def kubectl(tmp_path: Path) -> Path:
    """Return a folder with `kubectl`, which stores manifests, logs and exit codes of jobs there."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    program = folder / "kubectl"
    program.write_text(KUBECTL.format(python=sys.executable, folder=str(folder), version=VERSION))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


def test_submit_escapes_paths(tmp_path: Path) -> None:
    folder = tmp_path / "a&b|c\\d'e f"
    folder.mkdir()
    program = tmp_path / "kubectl"
    program.write_text("#!/bin/sh\ncat\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    submitted = subprocess.run(
        [ROOT / "profiles/kubernetes/submit", "2", "100", "5", "0", "it's & job|.sh"],
        cwd=folder, env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (container,) = yaml.safe_load(submitted)["spec"]["template"]["spec"]["containers"]
    assert container["workingDir"] == str(folder)
    assert container["command"] == ["sh", "it's & job|.sh"]


def test_profile_requests_at_most_three_threads(project: Path, snakemake: Snakemake) -> None:
    settings = ("--profile", "profiles/kubernetes", "--cores", "8")
    for dataset in ("demo", "fma_small"):
        plan = snakemake(project, "-n", *settings, "--config", f"dataset={dataset}")
        assert plan.returncode == 0, plan.stdout[-3000:]
        assert max(int(n) for n in re.findall(r"^    threads: (\d+)$", plan.stdout, re.M)) == 3


def test_profile_runs_jobs_with_manifest_resources(
    kubectl: Path, project: Path, archives: Path, snakemake: Snakemake
) -> None:
    settings = config(archives, models="[crnn]", protocols="[artist]", seeds="[1]")
    run = snakemake(
        small(project), "--profile", "profiles/kubernetes", "--seconds-between-status-checks", "1",
        *settings, "--", "results/local/runs/artist/crnn/1/model.safetensors",
        PATH=f"{kubectl}:{os.environ['PATH']}",
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-5000:]
    assert len(pd.read_parquet(project / "results/local/tracks.parquet")) == 36
    jobs = [yaml.safe_load(path.read_text()) for path in sorted(kubectl.glob("*.json"))]
    wanted = []
    for job in jobs:
        container = job["spec"]["template"]["spec"]["containers"][0]
        assert container["workingDir"] == str(project)
        limits = container["resources"]["limits"]
        wanted.append(
            (limits["memory"], limits["nvidia.com/gpu"], container["resources"]["requests"]["cpu"])
        )
    # The selection, two shards in one pod (parallel for --cores 2), and a training. Light
    # rules need no pod.
    assert wanted == [("1000M", "0", "1"), ("1400M", "0", "2"), ("3000M", "1", "1")]


@pytest.mark.parametrize(
    ("exit_code", "answer"), [("0\n", "success"), ("137\n", "failed"), (None, "running")]
)
def test_status_of_a_job(kubectl: Path, exit_code: str | None, answer: str) -> None:
    (kubectl / "songnet-0.json").write_text("{}")
    if exit_code is not None:
        (kubectl / "songnet-0.rc").write_text(exit_code)
    assert status(kubectl, "songnet-0") == answer


def test_status_of_missing_job_and_unreachable_server(kubectl: Path) -> None:
    assert status(kubectl, "songnet-0") == "failed"
    (kubectl / "kubectl").write_text("#!/bin/sh\nexit 1\n")
    assert status(kubectl, "songnet-0") == "running"


def status(kubectl: Path, job: str) -> str:
    command = [str(ROOT / "profiles/kubernetes/status"), job]
    environment = os.environ | {"PATH": f"{kubectl}:{os.environ['PATH']}"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_setup_manifests_match_schema() -> None:
    manifests = list(yaml.safe_load_all((ROOT / "profiles/kubernetes/setup.yaml").read_text()))
    assert [manifest["kind"] for manifest in manifests] == [
        "PersistentVolumeClaim", "ServiceAccount", "Role", "RoleBinding", "Pod",
    ]  # fmt: skip
    for manifest in manifests:
        kubernetes_validate.validate(manifest, VERSION, strict=True)
    manifests[0]["spec"]["accessMode"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifests[0], VERSION, strict=True)
