"""What a run refuses, in one line, and what it plans before any data exist."""

import re
import shutil
from pathlib import Path

import pytest

from songnet.data.fma_zip import member_name
from songnet.data.tracks import read_tracks
from tests.archives import members, write_archive
from tests.configured import MODELS
from tests.conftest import Snakemake, config, planned_jobs, small


def edit(project: Path, archives: Path, folder: Path, case: str) -> list[str]:
    """Spoil one thing and return the arguments of the run."""
    shutil.copytree(archives, folder)
    audio, metadata = folder / "fma_small.zip", folder / "fma_metadata.zip"
    if case == "unknown key":
        return [*config(folder), "protocol=artist"]
    if case == "key twice":
        with (project / "config/config.yaml").open("a") as file:
            file.write("seeds: [7]\n")
    if case == "not YAML":
        (project / "config/config.yaml").write_text("seeds: [7\n")
    if case == "missing archive":
        audio.unlink()
    if case == "not a zip":
        audio.write_bytes(b"<html>not found</html>")
    if case == "no tracks.csv":
        write_archive(metadata, {"fma_metadata/genres.csv": "genre_id\n"})
    if case == "broken clips":
        write_archive(audio, dict.fromkeys(members(audio), b"broken"))
    if case == "few tracks":
        table = read_tracks(str(metadata))
        gone = {member_name("small", i) for i in table.index[table["genre"] == "Folk"][2:]}
        write_archive(
            audio, {name: clip for name, clip in members(audio).items() if name not in gone}
        )
        return config(folder, genres="[Rock, Folk]")
    if case == "unknown genre":
        return config(folder, genres="[Rock, Jazz]")
    return config(folder)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("unknown key", "config key protocol is unknown"),
        ("key twice", "config/config.yaml: not valid YAML: seeds is given twice in"),
        ("not YAML", "config/config.yaml: not valid YAML: while parsing a flow sequence in"),
        ("missing archive", "fma_small.zip: no such file"),
        ("not a zip", "fma_small.zip: not a valid zip archive"),
        ("no tracks.csv", "has no fma_metadata/tracks.csv"),
        ("broken clips", "clips of shard 000 can be used (track "),
        ("few tracks", "config key genres: 'Folk' has 2 usable tracks, fewer than the 3 subsets"),
        ("unknown genre", "config key genres: 'Jazz' has no tracks (others have: "),
    ],
)
def test_workflow_reports_bad_input_in_one_line(
    tmp_path: Path, project: Path, archives: Path, snakemake: Snakemake, case: str, message: str
) -> None:
    arguments = edit(project, archives, tmp_path / "spoilt", case)
    run = snakemake(small(project), *arguments, "--", "results_table")
    assert run.returncode != 0
    lines = [line for line in run.stdout.splitlines() if "error:" in line and message in line]
    assert lines, run.stdout[-3000:]
    assert "Traceback" not in run.stdout
    assert not list((project / "results").rglob("report/*"))


def test_dry_run_before_any_data_exists(project: Path, snakemake: Snakemake) -> None:
    run = snakemake(project, "-n", "--config", "dataset=fma_small")
    assert run.returncode == 0, run.stdout[-3000:]
    planned = planned_jobs(run.stdout)
    assert planned["download"] == 2 and planned["mel_shard"] == 64
    assert not (project / "resources").exists() and not (project / "results").exists()


@pytest.mark.parametrize("run", ["artist/without_crops/1", "artist-9/svm/1", "official/svm/1"])
def test_run_outside_configuration_has_no_rule(
    project: Path, snakemake: Snakemake, run: str
) -> None:
    assert MODELS["without_crops"]["on_request"] is True  # hence not among those of the run
    wanted = f"results/demo/runs/{run}/params.json"
    plan = snakemake(project, "-n", "--config", "protocols=[artist]", "--", wanted)
    assert plan.returncode != 0
    assert f"No rule to produce {wanted}" in plan.stdout


def test_rules_have_descriptions(project: Path, snakemake: Snakemake) -> None:
    rules = re.findall(r"^(\w+) ?(.*)$", snakemake(project, "--list-rules").stdout, re.MULTILINE)
    names = {name for name, text in rules if text.startswith("(") and text.endswith(".)")}
    targets = {"data", "features", "baselines", "crnn", "figures", "results_table", "report_page"}
    assert targets | {"all", "evaluate_crnn"} <= names
