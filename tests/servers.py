"""HTTP servers that answer with ranges and misbehave on purpose."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

Contents = Callable[[str], bytes | None]  # of a path; None where there is none


class FaultyServer(ThreadingHTTPServer):
    """Serves with Range and counts; answers go wrong in a given way.

    Args:
        contents: what to serve.
        fault: a status, "cut", "stall" (cut, and silent for 6 s), "half", "wrong byte", "says more"
            or "says less" than it sends, "ignores range".
        is_faulty: whether the answer of a number, from 1, goes wrong.
    """

    def __init__(self, contents: Contents, fault: str, is_faulty: Callable[[int], bool]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.contents, self.fault, self.is_faulty = contents, fault, is_faulty
        self.answers = self.sent = 0
        self.random = np.random.default_rng(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: FaultyServer

    def do_GET(self) -> None:
        server = self.server
        server.answers += 1
        fault = server.fault if server.is_faulty(server.answers) else ""
        content = server.contents(self.path.strip("/"))
        if fault.isdigit() or content is None:
            return self.send_error(int(fault) if fault else 404)
        start, stop = 0, len(content)
        whole = "Range" not in self.headers or "ignores range" in fault
        if not whole:
            first, _, last = self.headers["Range"][6:].partition("-")
            start = int(first) if first else max(0, stop - int(last))
            stop = int(last) + 1 if first and last else stop
            if start >= len(content):
                return self.send_error(416)
        body = bytearray(content[start:stop])
        if fault == "wrong byte":
            body[-1 - len(body) // 2] ^= 1
        self.send_response(200 if whole else 206)
        extra = {"says more": 1000, "says less": -1000}.get(fault, 0)
        self.send_header("Content-Length", str(len(body) + extra))
        if not whole:
            at = f"{start}-{start + len(body) - 1}"
            self.send_header("Content-Range", f"bytes {at}/{len(content)}")
        self.end_headers()
        if fault in ("cut", "stall"):
            del body[server.random.integers(len(body)) :]
        if fault.startswith("half"):
            del body[len(body) // 2 :]
        self.wfile.write(body)
        self.wfile.flush()
        server.sent += len(body)
        if fault == "stall":
            time.sleep(6)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Callable[..., FaultyServer]]:
    """Start servers that end with the context."""
    with ExitStack() as stack:

        def start(*arguments: object) -> FaultyServer:
            server = stack.enter_context(FaultyServer(*arguments))  # type: ignore[arg-type]
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            return server

        yield start
