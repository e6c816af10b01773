"""A library table is complete after any kill, and up to date after any change."""

import json
import os
import shutil
import signal
import subprocess
import sys
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import torch

from songnet.errors import SongNetError
from songnet.features.mel import MelSpectrogram
from songnet.features.spectrogram import describe
from songnet.io import own
from songnet.library import workers
from songnet.library.journal import journals
from songnet.library.merge import Side, merged_rows
from songnet.library.scan import Found, scan
from songnet.library.shards import classify_shard, gather_library, scan_library
from songnet.library.table_files import read_rows, write_rows
from songnet.library.tag import classify_left, tag_library
from songnet.library.workers import Workers
from songnet.models.base import save
from songnet.models.causal_crnn import CausalCRNN
from songnet.models.configs import CausalCRNNConfig
from songnet.realtime.classify import classify_file
from songnet.realtime.model import load_model

MEL = MelSpectrogram(n_mels=64)
GENRES = ["=Classical", "R&B", "Rock"]


def network(path: Path, seed: int) -> str:
    """An untrained network with large random weights."""
    torch.manual_seed(seed)
    found = CausalCRNN(CausalCRNNConfig(64, 3, MEL.frames_per_second, [4, 4, 4], hidden=8))
    level, spread = torch.full((64, 1), -40.0), torch.full((64, 1), 15.0)
    found.set_statistics(level, spread, np.zeros((1, 3), np.float32))
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.mul_(2.0)
    facts = {"model": "causal_crnn", "dataset": "tests", "protocol": "artist"}
    save(found, GENRES, facts | {"spectrogram": describe(MEL)}, path)
    return str(path)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two networks."""
    folder = tmp_path_factory.mktemp("models")
    return [network(folder / f"{seed}.safetensors", seed) for seed in (1, 2)]


def song(path: Path, seed: int, seconds: float = 1.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).normal(0, 0.1, int(22_050 * seconds))
    sf.write(path, noise * np.sin(np.arange(len(noise)) / (50 + 20 * seed)), 22_050)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Six songs, a broken file, a silent one and a cover."""
    folder = tmp_path / "music"
    for place, name in enumerate(["B/2.wav", "A/x/1.flac", "A/x.wav", "c.ogg", "B/1.wav"]):
        song(folder / name, place)
    shutil.copy(folder / "B/1.wav", folder / os.fsdecode(b"caf\xe9.wav"))  # Latin-1
    (folder / "A/broken.mp3").write_bytes(b"no music")
    (folder / "A/cover.jpg").write_bytes(b"a picture")
    sf.write(folder / "silent.wav", np.zeros(22_050), 22_050)
    return folder


def tag(folder: Path, table: Path, model: str, **options: Any) -> Any:
    values: dict[str, Any] = {"paths": [str(folder)], "output": table, "model": model}
    return tag_library(**values | {"excerpt": 30, "jobs": 1} | options)


def rows(table: Path) -> dict[str, dict[str, Any]]:
    """Return rows by file name."""
    return {Path(row["path"]).name: row for row in read_rows(table)}


def test_tag_rows_equal_classify_file(music: Path, models: list[str], tmp_path: Path) -> None:
    table = tmp_path / "library.parquet"
    assert tag(music, table, models[0])[:3] == (8, 8, 0)
    found = rows(table)
    paths = [row["path"].split("/") for row in read_rows(table)]
    assert paths == sorted(paths) and not (tmp_path / ".library.parquet.work").exists()
    model = load_model(models[0])
    assert len({row["p_Rock"] for row in found.values()}) == 6  # predictions differ
    for row in found.values():
        expected = classify_file(model, row["path"])
        facts = Path(row["path"]).stat()
        assert (row["size"], row["mtime"]) == (facts.st_size, facts.st_mtime)
        assert (row["error"] or "") == expected.error + expected.reason
        assert row["genre"] == expected.genre and row["unsure"] == expected.unsure
        if expected.probabilities and expected.embedding is not None:
            shares = [row[f"p_{genre}"] for genre in GENRES]
            np.testing.assert_allclose(shares, [*expected.probabilities.values()], rtol=1e-7)
            np.testing.assert_array_equal(row["embedding"], expected.embedding)
            assert row["duration"] == pytest.approx(1.5, abs=0.01)
    assert found["broken.mp3"]["error"] == "not decodable: no audio in it"
    assert found["silent.wav"]["error"] == "no music: nothing above -80 dB"
    assert os.fsdecode(b"caf\xe9.wav") in found
    table_of_pandas = pd.read_parquet(table)
    assert table_of_pandas["genre"].isin([*GENRES, None]).all() and len(table_of_pandas) == 8


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_tag_formats_hold_same_rows(
    suffix: str, music: Path, models: list[str], tmp_path: Path
) -> None:
    parquet, other = tmp_path / "a.parquet", tmp_path / f"b{suffix}"
    tag(music, parquet, models[0])
    tag(music, other, models[0])
    write_rows(read_rows(other), list(next(read_rows(other))), tmp_path / "c.parquet")
    assert (tmp_path / "c.parquet").read_bytes() == parquet.read_bytes()
    before = other.read_bytes()
    assert tag(music, other, models[0])[:3] == (8, 0, 0) and other.read_bytes() == before
    if suffix == ".csv":
        assert "'=Classical" in other.read_text(errors="replace") or "p_=" in other.read_text(
            errors="replace"
        )


def test_tag_again_visits_new_files_and_drops_missing(
    music: Path, models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "library.parquet"
    tag(music, table, models[0])
    first, before = rows(table), table.stat()
    asked: list[str] = []
    ask = workers._Worker.ask

    def noted(self: Any, found: Any) -> str:
        asked.append(Path(found.path).name)
        return ask(self, found)

    monkeypatch.setattr(workers._Worker, "ask", noted)
    assert tag(music, table, models[0])[:3] == (8, 0, 0)
    assert asked == [] and table.stat().st_mtime_ns == before.st_mtime_ns
    song(music / "B/1.wav", 20)
    song(music / "A/new.wav", 21)
    (music / "c.ogg").unlink()
    assert tag(music, table, models[0])[:3] == (8, 2, 1)
    assert sorted(asked) == ["1.wav", "new.wav"]
    second = rows(table)
    assert set(second) == {*first, "new.wav"} - {"c.ogg"}
    assert second["1.wav"]["p_Rock"] != first["1.wav"]["p_Rock"]
    fresh = tmp_path / "fresh.parquet"
    tag(music, fresh, models[0])
    assert fresh.read_bytes() == table.read_bytes()


def test_tag_keeps_rows_of_other_folders(music: Path, models: list[str], tmp_path: Path) -> None:
    table, whole = tmp_path / "library.parquet", tmp_path / "whole.parquet"
    tag(music / "B", table, models[0])
    tag(music / "A", table, models[0])
    tag(music, whole, models[0], paths=[str(music / "B"), str(music / "A")])
    assert table.read_bytes() == whole.read_bytes()
    assert tag(music, table, models[0], paths=[str(music / "A"), str(music)])[:3] == (8, 3, 0)
    assert len(rows(table)) == 8


def test_tag_with_other_model_adds_column_set(
    music: Path, models: list[str], tmp_path: Path
) -> None:
    table, alone = tmp_path / "library.parquet", tmp_path / "alone.parquet"
    tag(music, table, models[0])
    first = rows(table)
    assert tag(music, table, models[1])[:3] == (8, 8, 0)
    tag(music, alone, models[1])
    both, second = rows(table), rows(alone)
    (name,) = {row["model"] for row in first.values()}
    for key, row in both.items():
        assert row["model"] == second[key]["model"] != name == row[f"{name}:model"]
        assert row["p_Rock"] == second[key]["p_Rock"]
        assert row[f"{name}:p_Rock"] == first[key]["p_Rock"]
    # Returning to the first model only classifies files that have changed since.
    song(music / "B/1.wav", 20)
    assert tag(music, table, models[0])[:3] == (8, 1, 0)
    again = rows(table)
    (other,) = {row["model"] for row in second.values()}
    assert again["2.wav"]["p_Rock"] == first["2.wav"]["p_Rock"]
    assert again["2.wav"][f"{other}:p_Rock"] == second["2.wav"]["p_Rock"]
    assert again["1.wav"]["p_Rock"] != first["1.wav"]["p_Rock"]
    assert again["1.wav"][f"{other}:p_Rock"] is None  # of deleted files
    assert tag(music, table, models[0], excerpt=None).left == 8


COMMAND = [sys.executable, "-m", "songnet.cli", "tag"]


def test_tag_resumes_after_kill(music: Path, models: list[str], tmp_path: Path) -> None:
    for place in range(3):
        song(music / f"many/{place:03d}.wav", place, seconds=10)
    for place in range(3, 150):
        shutil.copy(music / f"many/{place % 3:03d}.wav", music / f"many/{place:03d}.wav")
    (music / "aaa.mp3").write_bytes(b"first of all")
    whole, table = tmp_path / "whole.parquet", tmp_path / "library.parquet"
    tag(music, whole, models[0], jobs=2)
    work = tmp_path / ".library.parquet.work"
    arguments = [*COMMAND, str(music), "-o", str(table), "--model", models[0], "--jobs", "2"]
    kept = 0
    for _ in range(2):
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        size, enough = 0, kept + 10
        while size < enough:
            found = sorted(work.glob("causal_crnn-*/*/*.jsonl"))
            size = sum(part.read_bytes().count(b"\n") for part in found)
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.2)
        found = sorted(work.glob("causal_crnn-*/*/*.jsonl"))
        kept = sum(part.read_bytes().count(b"\n") for part in found)
    found[-1].write_bytes(found[-1].read_bytes()[:-5])  # a truncated line, as after a kill
    assert kept < 159 and not table.exists()
    song(music / "00.wav", 99)  # new, and sorted before the finished ones
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (music / "00.wav").unlink()
    assert tag(music, table, models[0]).dropped == 1
    assert table.read_bytes() == whole.read_bytes()
    assert not work.exists()


def test_tag_keeps_finished_rows_of_a_killed_run_elsewhere(
    music: Path, models: list[str], tmp_path: Path
) -> None:
    """Of another folder, and of another model."""
    table = tmp_path / "library.parquet"
    for place in range(4):
        song(music / f"other/o{place}.wav", place)
        song(music / f"this/{place}.wav", place)
    killed = []
    for model in models[:2]:
        whole = tmp_path / "whole.parquet"
        tag(music / "other", whole, model)
        with Workers(model, 30.0, 1) as workers:
            folder = tmp_path / ".library.parquet.work" / workers.columns.name / "0000"
            classify_left(workers, lambda: scan([music / "other"]), folder)
            killed.append(folder)
    assert tag(music / "this", table, models[0]).left == 4
    assert len(rows(table)) == 8  # the finished ones were not lost
    assert not killed[0].exists() and killed[1].exists()
    assert tag(music / "other", table, models[0]).left == 0
    assert tag(music / "other", table, models[1]).left == 0
    assert not killed[1].parent.parent.exists()


def test_merged_rows_prefer_the_table_to_older_journals() -> None:
    """A killed run's journal may have an older version of a file outside the scanned folders."""

    def version(mtime: float, genre: str) -> dict[str, Any]:
        return {"path": "/b/1.mp3", "size": 1, "mtime": mtime, "model": "m", "genre": genre}

    old, same, older = version(2.0, "Rock"), version(2.0, "Folk"), version(1.0, "Pop")
    for new, kept in ((same, "Folk"), (older, "Rock"), (None, "Rock")):
        (row,) = merged_rows([Side(None, old, new)], ["/a"])
        assert row["genre"] == kept
    (row,) = merged_rows([Side(None, None, older)], ["/a"])
    assert row["genre"] == "Pop"
    assert not list(merged_rows([Side(None, old, same)], ["/b"]))  # gone
    (row,) = merged_rows([Side(Found("/b/1.mp3", 1, 2.0), version(1.0, "Pop"), same)], ["/b"])
    assert row["genre"] == "Folk"


def test_tag_stops_if_the_model_is_replaced(music: Path, models: list[str], tmp_path: Path) -> None:
    model = shutil.copy(models[0], tmp_path / "best.safetensors")
    with Workers(str(model), 30.0, 2) as workers:
        shutil.copy(models[1], model)
        with pytest.raises(SongNetError, match="the model was replaced during the run; run again"):
            list(workers.rows(scan([music])))


def test_tag_of_a_list_drops_missing_files(music: Path, models: list[str], tmp_path: Path) -> None:
    table, roots = tmp_path / "library.parquet", tmp_path / "roots.txt"
    roots.write_text(f"{music}\n")
    song(music / "gone.wav", 5)
    before = tag(roots, table, models[0]).files
    (music / "gone.wav").unlink()
    assert tag(roots, table, models[0]).dropped == 1
    assert len(rows(table)) == before - 1


def test_second_run_on_the_same_table_waits(tmp_path: Path) -> None:
    """The first one removes the folder of the lock when it ends."""
    lock = tmp_path / "work" / "lock"
    first = own(lock)
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(own, lock)
        time.sleep(0.3)
        assert not second.done()
        shutil.rmtree(lock.parent)
        first.close()
        second.result(timeout=10).close()
    assert lock.exists()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_table_holds_carriage_returns(
    music: Path, models: list[str], tmp_path: Path, suffix: str
) -> None:
    """macOS calls the icon of a folder Icon, followed by a carriage return."""
    (music / "Icon\r").write_bytes(b"")
    table = tmp_path / f"library{suffix}"
    tag(music, table, models[0])
    assert tag(music, table, models[0]).is_current
    assert str(music / "Icon\r") in {row["path"] for row in read_rows(table)}


def test_gather_library_refuses_missing_rows(
    music: Path, models: list[str], tmp_path: Path
) -> None:
    table = tmp_path / "library.parquet"
    given = SimpleNamespace(**{name: str(tmp_path / name) for name in ("found", "left", "plan")})
    scan_library([str(music)], str(table), models[0], 30.0, 1.5, given)
    for place in (0, 2):
        classify_shard(given, str(table), place, 3, models[0], 30.0, 1)
    with pytest.raises(
        SongNetError, match=r"files were not classified \(first: .*; run the same command"
    ):
        gather_library(given, [str(music)], str(table))
    assert not table.exists()
    classify_shard(given, str(table), 1, 3, models[0], 30.0, 1)
    gather_library(given, [str(music)], str(table))
    tag(music, tmp_path / "local.parquet", models[0], excerpt=30.0)
    assert table.read_bytes() == (tmp_path / "local.parquet").read_bytes()


def test_tag_processes_end_with_killed_run(music: Path, models: list[str], tmp_path: Path) -> None:
    import psutil

    for place in range(60):
        song(music / f"many/{place:02d}.wav", place)
    arguments = [*COMMAND, str(music), "-o", str(tmp_path / "a.csv"), "--model", models[0]]
    process = subprocess.Popen([*arguments, "--jobs", "2"], stdout=subprocess.DEVNULL)
    while len(children := psutil.Process(process.pid).children()) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not psutil.wait_procs(children, timeout=30)[1]


def test_tag_survives_crash_of_decoder(
    music: Path, models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes run a modified copy of the package, which crashes."""
    package = tmp_path / "package"
    source = Path(workers.__file__).parents[1]
    shutil.copytree(source, package / "songnet", ignore=shutil.ignore_patterns("__pycache__"))
    code = package / "songnet/library/worker.py"
    crash = '    if found.path.endswith("x.wav"):\n        os.abort()\n    try:\n        result ='
    text = code.read_text()
    assert "    try:\n        result =" in text
    code.write_text(text.replace("    try:\n        result =", crash))
    monkeypatch.setenv("PYTHONPATH", str(package))
    table = tmp_path / "library.jsonl"
    assert tag(music, table, models[0], jobs=2).left == 8
    found = rows(table)
    assert found["x.wav"]["error"] == "the decoder crashed"
    assert len([row for row in found.values() if row["genre"]]) == 5


def test_tag_retries_unreadable_files(music: Path, models: list[str], tmp_path: Path) -> None:
    (music / "link.wav").symlink_to(tmp_path / "elsewhere.wav")
    table = tmp_path / "library.parquet"
    tag(music, table, models[0])
    assert rows(table)["link.wav"]["error"] == "no such file"
    assert tag(music, table, models[0]).left == 1
    song(tmp_path / "elsewhere.wav", 3)
    tag(music, table, models[0])
    assert rows(table)["link.wav"]["genre"] in GENRES


def test_tag_reports_problems_in_one_line(music: Path, models: list[str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SongNetError, match=r"empty: no audio files$"):
        tag(tmp_path / "empty", tmp_path / "a.parquet", models[0])
    assert not list(tmp_path.glob(".*"))  # no temporary files remain
    both = [str(music), str(tmp_path / "empty")]  # as where a disk is not mounted
    with pytest.raises(SongNetError, match=r"[^,]*empty: no audio files$"):
        tag(music, tmp_path / "a.parquet", models[0], paths=both)
    with pytest.raises(SongNetError, match=r"nowhere: no such file or folder$"):
        tag(tmp_path / "nowhere", tmp_path / "a.parquet", models[0])
    with pytest.raises(SongNetError, match=r"a\.txt: the name of a table must end in \.parquet, "):
        tag(music, tmp_path / "a.txt", models[0])
    with pytest.raises(SongNetError, match=r"none\.safetensors: no such file"):
        tag(music, tmp_path / "a.parquet", "none.safetensors")
    other = tmp_path / "other.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(other)
    with pytest.raises(
        SongNetError, match=r"other\.parquet: not a table of .*: lacks artist, .*model, mtime"
    ):
        tag(music, other, models[0])
    other.write_bytes(b"no table")
    with pytest.raises(SongNetError, match=r"other\.parquet: not a table of `songnet tag`: "):
        tag(music, other, models[0])
    assert other.read_bytes() == b"no table"
    table = tmp_path / "library.jsonl"
    tag(music, table, models[0])
    table.write_text("".join(reversed(table.read_text().splitlines(keepends=True))))
    with pytest.raises(SongNetError, match="is repeated or not sorted by path"):
        tag(music, table, models[0])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_tag_on_full_disk_keeps_rows(
    music: Path, models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from songnet.library import journal

    table = tmp_path / "library.parquet"
    write = journal.Journal.write

    def full_after_three(self: Any, line: str) -> None:
        if self._file.tell() and self._path.read_bytes().count(b"\n") == 3:
            self._file = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115
        write(self, line)

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "write", full_after_three)
        with pytest.raises(SongNetError, match="no space left; free some and run again"):
            tag(music, table, models[0])
    (work,) = tmp_path.glob(".library.parquet.work/causal_crnn-*")
    assert sum(1 for part in journals(work) for _ in part.open()) == 3
    tag(music, table, models[0])
    whole = tmp_path / "whole.parquet"
    tag(music, whole, models[0])
    assert table.read_bytes() == whole.read_bytes()


def test_tag_command_shows_counts_and_progress(
    music: Path, models: list[str], tmp_path: Path
) -> None:
    leader, follower = os.openpty()
    termios.tcsetwinsize(follower, (24, 100))
    run = subprocess.run(
        [*COMMAND, str(music), "--model", models[0], "--jobs", "1"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=follower, text=True,
    )  # fmt: skip
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    description, counts = run.stdout.splitlines()
    assert description == "causal_crnn, trained on tests (artist split)."
    assert counts == "library.parquet: 8 files, 8 newly classified"
    assert "8/8" in shown and ("file/s" in shown or "s/file" in shown)
    listed = tmp_path / "list.txt"
    listed.write_text(f"{music}/c.ogg\n{music}/A\n")
    run = subprocess.run(
        [*COMMAND, "--from-file", str(listed), "--model", models[0], "-o", "b.jsonl"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    lines = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    names = ["x", "broken.mp3", "c.ogg"]
    assert len(lines) == 4 and Path(lines[-1]["path"]).name == names[-1]
