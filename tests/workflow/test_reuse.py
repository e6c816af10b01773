"""What others build on SongNet: a model of their own, a workflow of their own."""

import json
import shutil
from pathlib import Path

from tests.conftest import Snakemake

TOY = '''"""The nearest neighbour alone."""

from sklearn.neighbors import KNeighborsClassifier


class Nearest(KNeighborsClassifier):
    """k nearest neighbours with k = 1."""

    def __init__(self):
        super().__init__(n_neighbors=1)
'''
ENTRY = """
toy: {title: toy, family: baseline, estimator: songnet.toy.Nearest, features: mfcc, seeded: false}
"""
WORKFLOW = """
configfile: "config.yaml"


module songnet:
    snakefile:
        "SONGNET/workflow/Snakefile"
    config:
        config["songnet"]


use rule * from songnet as songnet_*


rule sums:
    default_target: True
    input:
        "results/local/archives.json",
    output:
        "sums.txt",
    shell:
        "cp {input} {output}"
"""


def test_a_model_is_one_file_and_one_line(
    finished: Path, tmp_path: Path, archives: Path, snakemake: Snakemake
) -> None:
    project = tmp_path / "own"
    shutil.copytree(finished, project, symlinks=True)
    (project / "src/songnet/toy.py").write_text(TOY)
    with (project / "config/models.yaml").open("a") as file:
        file.write(ENTRY)
    metrics = "results/local/runs/artist/toy/1/metrics.json"
    settings = ["--config", "models=[toy]", "dataset=local", f"archives={archives}"]
    run = snakemake(project, *settings, "--", metrics)
    assert run.returncode == 0, run.stdout[-5000:]
    assert "Jobs that ran: evaluate_baseline, train_toy." in run.stdout
    found = json.loads((project / metrics).read_text())
    assert found["test"]["accuracy"] > 1 / 3  # better than guessing
    with (project / "src/songnet/toy.py").open("a") as file:
        file.write("\n# edited\n")
    assert "rule train_toy" in snakemake(project, "-n", *settings, "--", metrics).stdout


def test_another_workflow_uses_this_one(
    project: Path, tmp_path: Path, archives: Path, snakemake: Snakemake
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    own = {"samples": ["a"], "songnet": {"dataset": "local", "archives": str(archives)}}
    (theirs / "config.yaml").write_text(json.dumps(own))
    (theirs / "Snakefile").write_text(WORKFLOW.replace("SONGNET", str(project)))
    plan = snakemake(theirs, "-n", "--", "songnet_all")
    assert plan.returncode == 0 and "songnet_report_page" in plan.stdout, plan.stdout[-3000:]
    run = snakemake(theirs)
    assert run.returncode == 0, run.stdout[-3000:]
    sums = json.loads((theirs / "sums.txt").read_text())
    assert set(sums) == {"fma_metadata.zip", "fma_small.zip"}
