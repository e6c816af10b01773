"""An MLflow server for tests."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.conftest import free_port


class MLflowServer:
    """A server that can be stopped and started again, on the same port and files.

    Args:
        folder: working directory and log of the server.
        store: SQLite file of the runs.
    """

    def __init__(self, folder: Path, store: Path) -> None:
        self.folder, self.store = folder, store
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server if it is not running, and wait until it answers."""
        if self.process is not None:
            return
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1",
                   "--port", str(self.port), "--backend-store-uri", f"sqlite:///{self.store}",
                   "--artifacts-destination", str(self.folder / "artifacts")]  # fmt: skip
        environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        environment["MLFLOW_DISABLE_TELEMETRY"] = "true"
        environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # seven unused processes
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 300
        while time.monotonic() < end and self.process.poll() is None:
            health = f"{self.uri}/health"
            with contextlib.suppress(OSError), urllib.request.urlopen(health, timeout=5):
                return
            time.sleep(0.2)
        pytest.fail((self.folder / "server.log").read_text()[-3000:])

    def stop(self) -> None:
        """Kill the server, as a power failure would."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
