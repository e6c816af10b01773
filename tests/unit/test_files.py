"""Files are complete or absent, and results record the code behind them."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from songnet.errors import SongNetError
from songnet.io import date_to_now, read_json, replacing, sha1, write_json
from songnet.pipeline.provenance import PACKAGE, source_digest


def test_replacing_keeps_old_file_after_error(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "table.csv"
    with pytest.raises(ValueError, match="half"), replacing(path) as temporary:
        temporary.write_text("half")
        raise ValueError("half")
    assert list(path.parent.iterdir()) == []
    with replacing(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"


def write_slowly(path: Path, text: str, started: Path) -> None:
    with replacing(path) as temporary, temporary.open("w") as file:
        started.touch()
        for sign in text:
            file.write(sign)
            file.flush()
            time.sleep(0.02)


def test_replacing_waits_for_other_writer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A job that outlived its Snakemake, and the same job in the next run."""
    path, started = tmp_path / "product.txt", tmp_path / "started"
    context = multiprocessing.get_context("fork")
    first = context.Process(target=write_slowly, args=(path, "a" * 50, started))
    first.start()
    while not started.exists():
        time.sleep(0.01)
    with replacing(path) as temporary:
        assert path.read_text() == "a" * 50, "the first is through"
        temporary.write_text("b")
    assert f"waiting for another process that writes {temporary}" in caplog.text
    first.join()
    assert first.exitcode == 0 and path.read_text() == "b"
    assert {file.name for file in tmp_path.iterdir()} == {"product.txt", "started"}


def test_date_to_now_changes_future_dates(tmp_path: Path) -> None:
    now = time.time()
    for name, seconds in [("old", -1000), ("future", 90_000)]:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now + seconds, now + seconds))
    date_to_now(tmp_path)
    assert (tmp_path / "old").stat().st_mtime == pytest.approx(now - 1000)
    assert now <= (tmp_path / "future").stat().st_mtime <= time.time()


def test_write_json_and_sha1(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": [1, 2.5]})
    assert read_json(tmp_path / "a.json") == {"b": [1, 2.5]}
    (tmp_path / "abc").write_text("abc")
    assert sha1(tmp_path / "abc") == "a9993e364706816aba3e25717850c26c9cd0d89d"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 1 MiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kind", ["npy", "parquet", "pt", "json"])
def test_replacing_on_full_disk_is_one_line(tiny_disk: Path, kind: str) -> None:
    values = np.random.default_rng(0).random((1000, 1000))
    writers = {
        "npy": lambda path: np.save(path, values),
        "parquet": lambda path: pd.DataFrame(values).to_parquet(path),
        "pt": lambda path: torch.save(torch.from_numpy(values), path),
        "json": lambda path: path.write_text("x" * 2_000_000),
    }
    path = tiny_disk / f"product.{kind}"
    with pytest.raises(SongNetError, match="no space left"), replacing(path) as temporary:
        writers[kind](temporary)
    assert list(tiny_disk.iterdir()) == []


def run_job(log: Path, body: str, inputs: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    program = f"""
import os, sys, warnings
from types import SimpleNamespace
from songnet.errors import SongNetError
from songnet.pipeline.job import job
with job(SimpleNamespace(log=[{str(log)!r}], input={inputs!r})):
    {body}
"""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise SongNetError('config key genres:\\nwrong')", "config key genres: wrong"),
        ("raise OSError(30, 'Read-only file system', 'a.npy')", "a.npy: Read-only file system"),
    ],
)
def test_job_reports_error_in_one_line(tmp_path: Path, body: str, message: str) -> None:
    log = tmp_path / "log/job.log"
    run = run_job(log, body)
    assert run.returncode == 1
    assert run.stderr == f"songnet: error: {message} (log: {log})\n"
    assert log.read_text().endswith(f"error: {message}\n")


def test_job_logs_traceback_of_defect(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    run = run_job(log, "1 / 0")
    assert run.returncode == 1 and "ZeroDivisionError" in log.read_text()


@pytest.mark.parametrize("name", ["tracks.parquet", "000.npy", "archives.json", "000.csv"])
@pytest.mark.parametrize("content", [b"", bytes(5000)])
def test_job_removes_unreadable_product(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    product, sound, own, log = (
        Path(path) for path in (f"results/{name}", "results/sound.json", f"own/{name}", "job.log")
    )
    for path, what in ((product, content), (sound, b"{}"), (own, content)):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(what)
    inputs = [str(own), str(sound), str(product)]
    run = run_job(log, "raise ValueError('whatever a library says')", inputs)
    message = f"{product}: is damaged and was deleted; the next run creates it again"
    assert (run.returncode, run.stderr) == (1, f"songnet: error: {message} (log: {log})\n")
    assert sound.exists() and own.exists() and not product.exists()


def test_job_keeps_product_after_memory_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    pd.DataFrame({"a": [1]}).to_parquet("results/tracks.parquet")
    body = "import pandas; pandas.read_parquet = lambda path: bytes(2**60); 1 / 0"
    run = run_job(Path("job.log"), body, ["results/tracks.parquet"])
    assert "ZeroDivisionError" in Path("job.log").read_text() and run.returncode == 1
    assert Path("results/tracks.parquet").exists()


def test_replacing_gives_the_rights_that_others_need(tmp_path: Path) -> None:
    """safetensors writes its own file, which only its user may read."""
    before = os.umask(0o022)
    try:
        with replacing(tmp_path / "model.safetensors") as temporary:
            save_file({"x": torch.zeros(1)}, temporary)
    finally:
        os.umask(before)
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == 0o644


def test_job_sends_output_of_libraries_to_log(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    run = run_job(log, "warnings.warn('soft'); os.write(2, b'from C'); sys.stderr.write('bar')")
    assert run.stderr == "bar"
    assert "soft" in log.read_text() and "from C" in log.read_text()


CODE = "def f(x):\n    if x > 1:\n        raise ValueError(f'{x} is large')\n"
SAME = '''"""A module."""

def f(x):
    """Says."""

    if (x > 1):  # indeed
        raise ValueError(f"x is {x}")

# The end.
'''


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (SAME, True),
        (CODE.replace("> 1", "> 2"), False),
        (CODE.replace("> 1", "> '1'"), False),
        (CODE.replace("Value", "Key"), False),
        ("def f(x):\n    'Says.'\n", False),
    ],
)
def test_source_digest_ignores_comments_and_docstrings(
    tmp_path: Path, text: str, same: bool
) -> None:
    """The digest ignores comments, docstrings, layout and the texts of errors."""
    script, other = tmp_path / "script.py", tmp_path / "other.py"
    script.write_text(CODE)
    other.write_text(text)
    assert (source_digest(other) == source_digest(script)) is same


def test_source_digest_follows_imports(tmp_path: Path) -> None:
    """Copy the package, so that it can be edited."""
    copy = tmp_path / "copy"
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "from songnet.pipeline.provenance import source_digest;"
        "print(source_digest(Path(sys.argv[2]), without=tuple(sys.argv[3:])))"
    )
    subprocess.run(["cp", "-r", str(PACKAGE.parent), str(copy)], check=True)
    script = tmp_path / "script.py"

    def digest(*without: str) -> str:
        command = [sys.executable, "-c", program, str(copy), str(script), *without]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def edit(name: str, text: str) -> None:
        with (copy / "songnet" / name).open("a") as file:
            file.write(text)

    script.write_text(
        "from songnet.data.shard_writer import write_shard\n"
        "from songnet.tracking import live\n"
        "from songnet.report.pages import write_page\nwrite_page('analysis.html')\n"
    )
    first, watched = digest("tracking.live"), digest()
    edit("evaluation/tables.py", "EDITED = True\n")  # imported by none of them
    edit("report/templates/report.html", "edited\n")  # part of another page
    edit("features/spectrogram.py", "# said\n")
    assert (digest("tracking.live"), digest()) == (first, watched)
    edit("tracking/live.py", "EDITED = True\n")
    assert digest("tracking.live") == first
    assert digest() != watched
    for name in (
        "features/spectrogram.py",
        "report/templates/analysis.html",
        "report/templates/page.css",
        "realtime/web/terms.js",
    ):
        before = digest("tracking.live")
        edit(name, "EDITED = True\n")
        assert digest("tracking.live") != before, name
    last = digest()
    for remembered in copy.glob("songnet/pipeline/__pycache__/sources.*.json"):
        remembered.write_text("{")
    assert digest() == last


def test_source_digest_refuses_an_unknown_module(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("")
    with pytest.raises(ValueError, match=r"no such module: .*life\.py"):
        source_digest(script, without=("tracking.life",))
