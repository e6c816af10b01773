"""Downloads from a real server that misbehaves."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from songnet.download import download
from songnet.errors import SongNetError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA1 = hashlib.sha1(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT with Range; the first `faults` answers go wrong in a given way."""

    def __init__(self, fault: str, faults: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault, self.faults, self.sent = fault, faults, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        fault = self.server.fault if self.server.faults > 0 else ""
        self.server.faults -= 1
        if fault in ("503", "404"):
            return self.send_error(int(fault))
        start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        body = CONTENT[start:]
        if fault == "wrong byte":
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        if fault == "cut":
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.server.sent += len(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[object]:
    servers = []

    def start(fault: str = "", faults: int = 0) -> Server:
        server = Server(fault, faults)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("fault", "faults"), [("", 0), ("503", 3), ("cut", 5)])
def test_arrives_in_the_end(tmp_path: Path, serve, fault: str, faults: int) -> None:  # type: ignore[no-untyped-def]
    server = serve(fault, faults)
    download("a.zip", [server.url], SHA1, tmp_path / "a.zip", pause=0.01)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    assert server.sent <= 1.01 * len(CONTENT)


def test_resumes_what_lies_there(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    server = serve()
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:2_000_000])
    download("a.zip", [server.url], SHA1, tmp_path / "a.zip", pause=0.01)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert server.sent == 1_000_000


def test_a_mirror_steps_in(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    dead, alive = serve("404", 100), serve()
    download("a.zip", [dead.url, alive.url], SHA1, tmp_path / "a.zip", pause=0.01)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_wrong_byte_never_gets_the_final_name(tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    server = serve("wrong byte", 1)
    with pytest.raises(SongNetError, match=rf"a\.zip: SHA-1 is [0-9a-f]+, expected {SHA1}"):
        download("a.zip", [server.url], SHA1, tmp_path / "a.zip", pause=0.01)
    assert list(tmp_path.iterdir()) == []
