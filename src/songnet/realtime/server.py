"""The page that classifies music as it plays: FastAPI, one WebSocket for each piece of music.

The browser decodes and sends samples; the server answers with steps. Programs send whole files to
``/classify``; they lie in a nameless temporary file while they are classified, so that even a
server that is killed leaves none.
"""

import asyncio
import base64
import json
import tempfile
import threading
from collections.abc import AsyncGenerator, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import numpy as np
import torch
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from numpy.typing import NDArray
from starlette.datastructures import MutableHeaders, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from songnet.colours import genre_colours
from songnet.errors import SongNetError, UnusableClipError
from songnet.features.audio import RATES
from songnet.io import FULL
from songnet.realtime.classify import about, as_row, classify, description
from songnet.realtime.stream import CLOSE_CALL, Model, Step, Stream

WEB = Path(__file__).parent / "web"
LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]  # names of this machine, as in addresses
MESSAGE_BYTES = 2**20  # of samples in one message
SECURITY_HEADERS = {
    # plotly writes a style element.
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Limits:
    """What one server takes on."""

    seconds: float = 2 * 3600  # of music in a stream or a file
    upload_bytes: int = 500 * 2**20
    streams: int = 64  # at a time
    uploads: int = 32  # at a time, one of which is classified
    upload_grace_seconds: float = 20  # an upload may take this, and a second more for each ...
    upload_bytes_per_second: int = 20_000  # ... of these
    workers: int = 2  # threads that process streams
    idle_seconds: float = 600  # without a message, until a stream is ended


def create_app(
    model: Model, examples: Path | None = None, limits: Limits | None = None,
    hosts: list[str] | None = None,
) -> FastAPI:  # fmt: skip
    """Make the application.

    Args:
        model: from `songnet.realtime.stream.load_model`.
        examples: folder with clips and ``examples.json``.
        limits: what to take on.
        hosts: names by which browsers may call the server; None for LOCAL_HOSTS.
    """
    limits = limits or Limits()
    torch.set_num_threads(1)
    app = FastAPI(title="SongNet", docs_url=None, redoc_url=None)
    # A page elsewhere that resolves its own name to this machine is turned away.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts or LOCAL_HOSTS)
    app.add_middleware(_SecurityHeaders)
    app.state.pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="songnet")
    # A thread of their own: two hours of music take minutes, in which streams must go on.
    app.state.uploads_pool = ThreadPoolExecutor(1, thread_name_prefix="songnet-upload")
    app.state.streams = app.state.uploads = 0
    app.state.stopping = asyncio.Event()
    clips = json.loads((examples / "examples.json").read_text()) if examples else []

    @app.get("/about")
    def get_about() -> dict[str, Any]:
        return about(model) | {
            "description": description(model),
            "colours": genre_colours(model.genres),
            "close_call": CLOSE_CALL,
            "max_seconds": limits.seconds,
            "idle_seconds": limits.idle_seconds,
            "bands": model.spectrogram.bands,
            "frames_per_step": model.saved.network.frames_per_step,
            "examples": clips,
        }

    @app.post("/classify")
    async def classify_upload(request: Request) -> Response:
        app.state.uploads += 1
        try:
            if _is_foreign(request.headers):
                raise _RefusedError(403, "another page's origin")
            if app.state.uploads > limits.uploads:
                raise _RefusedError(503, f"busy: {limits.uploads} files are here; try again later")
            return JSONResponse(await _classify_upload(request, model, limits))
        except _RefusedError as refused:
            return JSONResponse({"error": str(refused)}, refused.status)
        except ClientDisconnect:
            return Response(status_code=400)  # that nobody will read
        finally:
            app.state.uploads -= 1

    @app.websocket("/stream")
    async def stream(socket: WebSocket) -> None:
        await _serve_stream(socket, model, limits)

    @app.get("/plotly.js")
    def plotly() -> Response:
        from plotly.offline import get_plotlyjs

        caching = {"Cache-Control": "max-age=86400"}
        return Response(get_plotlyjs(), media_type="text/javascript", headers=caching)

    if examples:
        app.mount("/examples", StaticFiles(directory=examples))
    app.mount("/", StaticFiles(directory=WEB, html=True))
    return app


class _SecurityHeaders:
    """Adds SECURITY_HEADERS to all answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class _RefusedError(Exception):
    """An upload that gets no prediction; the message is the answer."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


async def _classify_upload(request: Request, model: Model, limits: Limits) -> dict[str, Any]:
    """Classify the audio file in a request, raw or in a form, as `songnet classify --json` does.

    Raises:
        _RefusedError: it cannot be received or classified.
        ClientDisconnect: the client has gone.
    """
    stopping = request.app.state.stopping
    file = await _unless(stopping.wait(), _receive(request, limits))
    over = threading.Event()
    watched = _Watched(file, over)
    job = request.app.state.uploads_pool.submit(
        classify, model, cast(BinaryIO, watched), "", limits.seconds
    )
    job.add_done_callback(lambda _: file.close())
    try:
        work = _unless(_disconnected(request), asyncio.wrap_future(job))
        result = await _unless(stopping.wait(), work)
    except (SongNetError, UnusableClipError) as error:
        raise _RefusedError(422, str(error)) from None
    finally:
        over.set()
    row = as_row(result)
    return {name: value for name, value in row.items() if name != "file"}


class _Watched:
    """A file whose decoder can be stopped wherever it is: each read looks whether all is over."""

    def __init__(self, file: Any, over: threading.Event) -> None:
        self._file, self._over = file, over
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if self._over.is_set():
            raise ClientDisconnect
        content: bytes = self._file.read(size)
        return content

    def readinto(self, buffer: Any) -> int:
        """Read as libsndfile does, from where no error could get out: the file ends then."""
        return 0 if self._over.is_set() else int(self._file.readinto(buffer))


async def _unless(event: Coroutine[Any, Any, Any], work: Any) -> Any:
    """Result of some work, unless an event comes first.

    Raises:
        _RefusedError: the event came.
    """
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(event)
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise _RefusedError(503, "the server stops, or the client has gone")
    finally:
        working.cancel()
        waiting.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _receive(request: Request, limits: Limits) -> BinaryIO:
    """Write the file in a request to a temporary file without a name."""
    pieces = _pieces(request, limits)
    try:
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            form = await MultiPartParser(request.headers, pieces, max_files=1).parse()
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if not files:
                raise _RefusedError(400, "the form has no file")
            return files[0].file
        file = tempfile.TemporaryFile()  # noqa: SIM115
        async for piece in pieces:
            file.write(piece)
        return file
    except MultiPartException as error:
        raise _RefusedError(400, f"not a form with one file: {error.message}") from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise _RefusedError(507, f"{tempfile.gettempdir()}: no space left for uploads") from None


async def _pieces(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    """Body of a request.

    Raises:
        _RefusedError: it is too large or too slow.
    """
    stream, size = aiter(request.stream()), 0
    clock = asyncio.get_running_loop().time
    started = clock()
    while True:
        allowed = limits.upload_grace_seconds + size / limits.upload_bytes_per_second
        try:
            piece = await asyncio.wait_for(anext(stream), started + allowed - clock())
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _RefusedError(408, f"too slow: {size} bytes in {allowed:.0f} seconds") from None
        size += len(piece)
        if size > limits.upload_bytes:
            raise _RefusedError(413, f"larger than {limits.upload_bytes / 2**20:g} MB")
        yield piece


async def _serve_stream(socket: WebSocket, model: Model, limits: Limits) -> None:
    """Take samples, give steps.

    The client sends ``{"rate": Hz}``, then mono float32 samples in binary messages, then
    ``{"end": true}``. Each message is answered: ``{"steps": [...], "seconds": received}``, or
    ``{"error": text}`` before the end of the conversation.
    """
    if _is_foreign(socket.headers):
        await socket.close(1008, "another page's origin")
        return
    await socket.accept()
    state = socket.app.state
    if state.streams >= limits.streams:
        await _refuse(socket, f"busy: {limits.streams} streams are open; try again later")
        return
    state.streams += 1
    try:
        await _converse(socket, model, limits)
    except SongNetError as error:
        await _refuse(socket, str(error))
    except TimeoutError:
        await _refuse(socket, "nothing was sent for a long time")
    except WebSocketDisconnect:  # the client has gone
        pass
    finally:
        state.streams -= 1


def _is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether another site's page asks; programs send no origin."""
    try:
        return "origin" in headers and urlsplit(headers["origin"]).netloc != headers.get("host")
    except ValueError:  # not an address
        return True


async def _refuse(socket: WebSocket, problem: str) -> None:
    with suppress(WebSocketDisconnect):
        await _send(socket, {"error": problem}, close=1008)


async def _send(socket: WebSocket, answer: dict[str, Any], close: int | None = None) -> None:
    """Send an answer, and with a code that says why also the end of the conversation."""
    try:
        await socket.send_json(answer)
        if close is not None:
            await socket.close(close)
    except RuntimeError:  # starlette's word for a client that has gone
        raise WebSocketDisconnect from None


async def _converse(socket: WebSocket, model: Model, limits: Limits) -> None:
    async def receive() -> dict[str, Any]:
        message = await asyncio.wait_for(socket.receive(), limits.idle_seconds)
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        return dict(message)

    run = partial(asyncio.get_running_loop().run_in_executor, socket.app.state.pool)
    rate = _rate(await receive())
    stream = Stream(model, rate)
    received = 0
    while True:
        message = await receive()
        content = message.get("bytes")
        if content is None:
            if _json(message).get("end") is not True:
                raise SongNetError('expected samples, or {"end": true}')
            steps = await run(stream.finish)
            await _send(socket, _answer(steps, received / rate) | {"end": True}, close=1000)
            return
        samples = _samples(content)
        received += len(samples)
        if received > limits.seconds * rate:
            raise SongNetError(f"longer than {limits.seconds / 3600:g} hours")
        steps = await run(stream.push, samples)
        await _send(socket, _answer(steps, received / rate))


def _rate(message: dict[str, Any]) -> int:
    rate = _json(message).get("rate")
    # JavaScript's and other languages' numbers may arrive as 44100.0.
    if not isinstance(rate, int | float) or rate not in RATES:
        raise SongNetError(f"the first message is {{'rate': Hz}}, {RATES[0]} to {RATES[-1]}")
    return int(rate)


def _json(message: dict[str, Any]) -> dict[str, Any]:
    try:
        value = json.loads(message.get("text") or "")
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _samples(content: bytes) -> NDArray[np.float32]:
    if len(content) % 4 or len(content) > MESSAGE_BYTES:
        raise SongNetError(f"samples are float32, at most {MESSAGE_BYTES} bytes a message")
    return np.frombuffer(content, "<f4")


def _answer(steps: list[Step], seconds: float) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "steps": [
            {
                "seconds": round(step.seconds, 4),
                "now": [round(float(p), 5) for p in step.step_probabilities],
                "overall": [round(float(p), 5) for p in step.clip_probabilities],
                "silent": step.silent,
                # Levels from -100 to +50 dB as bytes, frame by frame.
                "spectrogram": base64.b64encode(
                    np.clip((step.spectrogram.T + 100) * (255 / 150), 0, 255)
                    .astype(np.uint8)
                    .tobytes()
                ).decode(),
            }
            for step in steps
        ],
    }


def serve(app: FastAPI, host: str, port: int) -> None:
    """Run until interrupted."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: Any = None) -> None:
            app.state.stopping.set()  # or uvicorn would wait for uploads and classifications
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", ws_max_size=MESSAGE_BYTES + 1024,
        timeout_keep_alive=20, timeout_graceful_shutdown=5,
    )  # fmt: skip
    Server(config).run()
