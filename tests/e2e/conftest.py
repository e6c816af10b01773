"""Fixtures: a server in a separate process, the page as static files, and browsers."""

import contextlib
import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
import soundfile as sf
from playwright.sync_api import Browser, sync_playwright

from songnet.features.audio import decode
from songnet.realtime.site import write_site
from songnet.realtime.stream import load_model
from tests.e2e.firefox import Firefox, run_firefox


def free_port() -> int:
    """Return a port without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """Run `songnet serve` on a free port."""

    def __init__(self, model: Path, temporary: Path, *arguments: str) -> None:
        self.port = free_port()
        self.temporary = temporary  # the working directory for its files
        self.process = subprocess.Popen(
            [sys.executable, "-m", "songnet.cli", "serve", "--no-browser", "--port",
             str(self.port), "--model", str(model), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"TMPDIR": str(temporary)},
        )  # fmt: skip
        self.watched = psutil.Process(self.process.pid)

    @property
    def host(self) -> str:
        """Return host and port."""
        return f"127.0.0.1:{self.port}"

    def wait(self) -> None:
        """Wait until the server answers."""
        for _ in range(1200):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"http://{self.host}/site.json", timeout=5)
                return
            time.sleep(0.1)
        raise AssertionError("the server does not answer")


def post(
    server: Server, body: Any, headers: dict[str, str] | None = None, path: str = "/classify"
) -> tuple[int, Any]:
    """Return the status and JSON of a response."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", path, body, headers or {})
    response = connection.getresponse()
    return response.status, json.loads(response.read() or b"null")


def multipart(content: bytes, name: str) -> tuple[bytes, dict[str, str]]:
    """Build the body and headers of a form with a file, as `curl -F file=@name` sends them."""
    disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'
    body = f"--x\r\n{disposition}\r\n\r\n".encode() + content + b"\r\n--x--\r\n"
    return body, {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.fixture(scope="session")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Share one server between all tests; what one test does to it can affect the next."""
    running = Server(trained, tmp_path_factory.mktemp("uploads"))
    running.wait()
    yield running
    assert not list(running.temporary.iterdir())
    assert running.process.poll() is None, "the server has ended"
    running.process.terminate()
    output, _ = running.process.communicate(timeout=30)
    assert b"Traceback" not in output, output.decode()


class Site:
    """Serve the page as static files in a subfolder."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "below" / "here"
        handler = partial(_QuietHandler, directory=str(root))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        """Return the address of the page."""
        return f"http://127.0.0.1:{self.server.server_port}/below/here/"

    def close(self) -> None:
        """Stop the server."""
        self.server.shutdown()
        self.server.server_close()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def written(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a folder with `songnet site`."""
    folder = tmp_path_factory.mktemp("written") / "site"
    write_site([load_model(trained)], folder)
    return folder


@pytest.fixture
def site(written: Path, tmp_path: Path) -> Iterator[Site]:
    """Serve a copy of the site; tests may change its files."""
    site = Site(tmp_path / "served")
    shutil.copytree(written, site.folder)
    yield site
    site.close()


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """Open Firefox with an empty page."""
    executable = shutil.which("firefox-esr") or shutil.which("firefox")
    if executable is None:
        pytest.skip("Firefox is not installed")
    with run_firefox(executable, tmp_path_factory.mktemp("firefox") / "profile") as firefox:
        yield firefox


@pytest.fixture(scope="module")
def browser(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Open Chromium with a clip of Rock as its microphone."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    sound = tmp_path_factory.mktemp("microphone") / "rock.wav"
    clip = decode(io.BytesIO(sorted(clips.glob("Rock*.mp3"))[2].read_bytes()))
    sf.write(sound, clip.samples, clip.sample_rate, subtype="PCM_16")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox", "--autoplay-policy=no-user-gesture-required",
                "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={sound}", "--disable-background-networking",
            ],
        )  # fmt: skip
