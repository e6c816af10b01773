"""A server in a process of its own."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


class Server:
    """`songnet serve` on a free port."""

    def __init__(self, model: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "songnet.cli", "serve", "--no-browser", "--port",
             str(self.port), "--model", str(model)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.watched = psutil.Process(self.process.pid)

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def wait(self) -> None:
        """Return when it answers."""
        for _ in range(300):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"http://{self.host}/about", timeout=5)
                return
            time.sleep(0.1)
        raise AssertionError("the server does not answer")


@pytest.fixture(scope="session")
def server(trained: Path) -> Iterator[Server]:
    """One server for all tests: what one of them does to it, the next one meets."""
    running = Server(trained)
    running.wait()
    yield running
    assert running.process.poll() is None, "the server has ended"
    running.process.terminate()
    output, _ = running.process.communicate(timeout=30)
    assert b"Traceback" not in output, output.decode()
