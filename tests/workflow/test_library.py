"""`snakemake library` gives, row for row, what `songnet tag` gives, in one run or in several."""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from songnet.library.table_files import read_rows
from songnet.library.tag import tag_library
from tests.conftest import Snakemake, planned_jobs
from tests.unit.test_library import network, song


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return network(tmp_path_factory.mktemp("model") / "m.safetensors", 1)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Forty files, and one that holds no music."""
    folder = tmp_path / "music"
    for place in range(3):
        song(folder / f"{place:03d}.wav", place, seconds=20)
    for place in range(3, 40):
        shutil.copy(folder / f"{place % 3:03d}.wav", folder / f"{place:03d}.wav")
    (folder / "broken.mp3").write_bytes(b"no music")
    return folder


def settings(music: Path, model: str, jobs: int = 3) -> list[str]:
    return [
        "--config", f"library={music}", f"tagging={{jobs: {jobs}, model: {model}}}", "--", "library"
    ]  # fmt: skip


def test_library_table_equals_songnet_tag(
    project: Path, snakemake: Snakemake, music: Path, model: str, tmp_path: Path
) -> None:
    """Snakemake is killed while it listens, then goes on; then files come and go."""
    table, local = project / "results/library/library.parquet", tmp_path / "local.parquet"
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", *settings(music, model)],
        cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    while (
        sum(part.read_bytes().count(b"\n") for part in table.parent.glob(".rows/*/*/*.jsonl")) < 5
    ):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    unlocked = snakemake(project, "--unlock", *settings(music, model)[:-2])
    assert unlocked.returncode == 0, unlocked.stdout
    run = snakemake(project, *settings(music, model))
    assert run.returncode == 0, run.stdout[-3000:]
    assert "Table of the library: results/library/library.parquet" in run.stdout
    tag_library([str(music)], local, model, 30.0, 1)
    assert table.read_bytes() == local.read_bytes()
    assert not list(table.parent.glob(".rows/*"))
    song(music / "new.wav", 7)
    (music / "005.wav").unlink()
    run = snakemake(project, *settings(music, model))
    assert run.returncode == 0, run.stdout[-3000:]
    tag_library([str(music)], local, model, 30.0, 1)
    assert table.read_bytes() == local.read_bytes()
    assert Path(list(read_rows(table))[-1]["path"]).name == "new.wav"


def test_library_plan_has_configured_jobs(
    project: Path, snakemake: Snakemake, music: Path, model: str
) -> None:
    run = snakemake(project, "-n", *settings(music, model, jobs=17))
    assert run.returncode == 0, run.stdout[-3000:]
    assert planned_jobs(run.stdout) == {"library_scan": 1, "library_shard": 17, "library": 1}


def test_library_reports_missing_settings(project: Path, snakemake: Snakemake, music: Path) -> None:
    cases = {
        "": "config key library: required; run snakemake library --config library=DIR",
        f"library={music}/none": f"config key library: {music}/none: no such file or folder",
        f"library={music}": "config key tagging.model: no network below results/; train one",
        f"library={music} tagging={{model: none.safetensors}}": (
            "config key tagging.model: none.safetensors: no such file"
        ),
    }
    for setting, line in cases.items():
        given = re.split(" (?=tagging)", setting) if setting else []
        run = snakemake(project, "-n", "library", *(["--config", *given] if given else []))
        assert run.returncode == 1 and f"songnet: error: {line}" in run.stdout
        assert "Traceback" not in run.stdout
