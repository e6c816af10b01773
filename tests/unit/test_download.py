"""Downloads from a real server that misbehaves."""

import contextlib
import fcntl
import hashlib
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from songnet.data.download import download
from songnet.errors import SongNetError
from tests.servers import FaultyServer, serving

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA1 = hashlib.sha1(CONTENT).hexdigest()


Serve = Callable[..., FaultyServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers of CONTENT; the first ``faults`` responses of each fail in a given way."""
    with serving() as start:
        yield lambda fault="", faults=0: start(lambda path: CONTENT, fault, lambda n: n <= faults)


@pytest.mark.parametrize(
    ("fault", "faults", "bytes_sent"),
    [
        ("", 0, 1.0),
        ("503", 3, 1.0),
        ("429", 3, 1.0),
        ("cut", 20, 1.01),
        ("stall", 1, 1.1),
        ("says more", 1, 1.0),
    ],
)
def test_download_recovers_from_fault(
    tmp_path: Path, serve: Serve, fault: str, faults: int, bytes_sent: float
) -> None:
    server = serve(fault, faults)
    download("a.zip", [server.url], SHA1, tmp_path / "a.zip", pause=0.01, patience=2)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    assert server.sent <= bytes_sent * len(CONTENT)


def test_download_resumes_partial_file(tmp_path: Path, serve: Serve) -> None:
    server = serve()
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:2_000_000])
    download("a.zip", [server.url], SHA1, tmp_path / "a.zip", pause=0.01)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.sent == 1_000_000


@pytest.mark.parametrize(
    ("fault", "part"), [("ignores range", 2_000_000), ("half, ignores range", 0), ("404", 0)]
)
def test_download_restarts_or_takes_next_address(
    tmp_path: Path, serve: Serve, fault: str, part: int
) -> None:
    """Where the server cannot resume, an interrupted download fails, and the next URL is used."""
    server = serve(fault, 10**6)
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:part])
    urls = [server.url] if part else [server.url, serve().url]
    download("a.zip", urls, SHA1, tmp_path / "a.zip", pause=0.001)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.sent <= 5 * len(CONTENT)


@pytest.mark.parametrize("fault", ["wrong byte", "says less"])
def test_download_removes_file_of_wrong_sha1(tmp_path: Path, serve: Serve, fault: str) -> None:
    server = serve(fault, 1)
    with pytest.raises(SongNetError, match=rf"a\.zip: SHA-1 is [0-9a-f]+, expected {SHA1}"):
        download("a.zip", [server.url], SHA1, tmp_path / "a.zip", pause=0.01)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", ["400", "404", "503"])
def test_download_reports_failing_server(tmp_path: Path, serve: Serve, fault: str) -> None:
    server = serve(fault, 1000)
    with pytest.raises(SongNetError, match=f"answers {fault}") as error:
        download("a.zip", [server.url], SHA1, tmp_path / "a.zip", pause=0.001)
    assert server.url in str(error.value)
    assert not (tmp_path / "a.zip").exists()


def interrupted(folder: Path, server: FaultyServer, patience: int) -> subprocess.Popen[bytes]:
    """Start a download in a separate process, and wait until it has fetched something."""
    program = "import sys; from songnet.data.download import download; download(*eval(sys.argv[1]))"
    arguments = repr(("a.zip", [server.url], SHA1, str(folder / "a.zip"), 0.01, patience))
    process = subprocess.Popen([sys.executable, "-c", program, arguments], start_new_session=True)
    part = folder / "a.zip.part"
    while not part.exists() or not part.stat().st_size:
        time.sleep(0.05)
        assert process.poll() is None
    return process


def test_download_resumes_after_kill(tmp_path: Path, serve: Serve) -> None:
    server = serve("stall", 1)
    process = interrupted(tmp_path, server, 60)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = (tmp_path / "a.zip.part").stat().st_size
    assert not (tmp_path / "a.zip").exists()
    server.sent = 0
    download("a.zip", [server.url], SHA1, tmp_path / "a.zip", pause=0.01)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.sent <= len(CONTENT) - kept


def test_download_twice_at_once_fetches_once(tmp_path: Path, serve: Serve) -> None:
    """As if a job had outlived its Snakemake."""
    server = serve("stall", 1)
    with ThreadPoolExecutor(2) as pool:
        arguments = ("a.zip", [server.url], SHA1, tmp_path / "a.zip", 0.01, 2)
        for waiting in [pool.submit(download, *arguments) for _ in range(2)]:
            waiting.result()
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    assert server.sent <= 1.1 * len(CONTENT)


def test_download_waits_for_orphaned_curl(tmp_path: Path, serve: Serve) -> None:
    server = serve("stall", 1)
    process = interrupted(tmp_path, server, 3)
    process.kill()
    process.wait()
    part = tmp_path / "a.zip.part"
    with part.open("ab") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # curl is still running
    download("a.zip", [server.url], SHA1, tmp_path / "a.zip", pause=0.01)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_download_does_not_retry_missing_file(tmp_path: Path) -> None:
    address = f"file://{tmp_path}/nowhere/"
    with pytest.raises(SongNetError, match=r"nowhere/a\.zip: curl ended with status 37"):
        download("a.zip", [address], SHA1, tmp_path / "a.zip", pause=1000)
    assert not list(tmp_path.iterdir())


def test_download_does_not_retry_unwritable_file(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "a.zip.part").symlink_to("/dev/full")
    with pytest.raises(SongNetError, match=r"a\.zip\.part: cannot be written"):
        download("a.zip", [serve().url], SHA1, tmp_path / "a.zip", pause=1000)


def test_download_shows_progress_on_terminal_only(tmp_path: Path, serve: Serve) -> None:
    program = (
        "import sys, types; from songnet.pipeline.job import job\n"
        "from songnet.data.download import download\n"
        "with job(types.SimpleNamespace(log=['job.log'])): download(*eval(sys.argv[1]))"
    )
    arguments = repr(("a.zip", [serve("503", 1).url], SHA1, "a.zip", 0.01))
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "TQDM_DISABLE"}
    with subprocess.Popen(
        [sys.executable, "-c", program, arguments], cwd=tmp_path, env=environment, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        # The terminal of a finished process cannot be read.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 1000):
                shown += piece
    os.close(ours)
    assert process.returncode == 0
    assert b"100.0%" in shown
    assert "%" not in (tmp_path / "job.log").read_text()
