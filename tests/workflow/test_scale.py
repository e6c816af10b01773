"""The plan of the largest data set: as many jobs whatever the number of tracks, soon made."""

import re
from pathlib import Path

import yaml

from tests.conftest import Snakemake

SETTINGS = ["seeds=[1,2,3,4,5]", "protocols=[random,artist,official]"]


def count(output: str) -> int:
    found = re.search(r"^total\s+(\d+)", output, re.MULTILINE)
    assert found, output[-3000:]
    return int(found.group(1))


def test_fma_large_plan_has_expected_jobs(project: Path, snakemake: Snakemake) -> None:
    """106,574 tracks; jobs follow shards, models, protocols and seeds alone."""
    models = yaml.safe_load((project / "config/models.yaml").read_text())
    table: dict[str, dict[str, object]] = {}
    for name, entry in models.items():
        table[name] = table.get(str(entry.get("like")), {}) | entry
    table = {name: entry for name, entry in table.items() if "vggish" not in name}
    named = [f"models=[{','.join(table)}]"]
    run = snakemake(project, "-n", "--config", "dataset=fma_large", *SETTINGS, *named)
    assert run.returncode == 0, run.stdout[-3000:]
    families = [entry["family"] for entry in table.values()]
    networks, others = (
        families.count("crnn"),
        families.count("baseline") + families.count("encoder"),
    )
    trainings = 3 * 5 * networks + others
    evaluations = networks + others
    datasets = yaml.safe_load((project / "config/datasets.yaml").read_text())
    # Spectrograms, the embeddings of each encoder, and mixtures of clips.
    sharded = 1 + len({entry["encoder"] for entry in table.values() if "encoder" in entry})
    sharded += sum(bool(entry.get("teacher_mixtures")) for entry in table.values())
    jobs = count(run.stdout)
    assert jobs <= sharded * datasets["fma_large"]["shards"] + trainings + evaluations + 30
    # The smallest data set of the same kind differs by its shards and no more.
    small = snakemake(project, "-n", "--config", "dataset=fma_small", *SETTINGS, *named)
    assert count(small.stdout) - sharded * datasets["fma_small"]["shards"] == (
        jobs - sharded * datasets["fma_large"]["shards"]
    )
