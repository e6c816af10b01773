"""What others build on SongNet: a workflow of their own."""

import json
from pathlib import Path

from tests.conftest import Snakemake

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


def test_module_in_other_workflow(
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
