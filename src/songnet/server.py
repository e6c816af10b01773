"""The page that classifies music as it plays: FastAPI, one WebSocket for each piece of music.

The browser decodes and sends samples; the server answers with steps. Nothing is written to disk
but an upload to ``/classify``, for as long as it is classified.
"""

import asyncio
import base64
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from numpy.typing import NDArray
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from songnet.classify import about, as_json, classify_file, description
from songnet.colours import genre_colours
from songnet.errors import SongNetError
from songnet.realtime import CLOSE_CALL, Model, Step, Stream

WEB = Path(__file__).parent / "web"
RATES = range(8_000, 192_001)  # Hz
LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]  # names of this machine, as in addresses
MESSAGE_BYTES = 2**20  # of samples in one message


@dataclass(frozen=True)
class Limits:
    """What one server takes on."""

    seconds: float = 2 * 3600  # of music in a stream or a file
    upload_bytes: int = 500 * 2**20
    streams: int = 64  # at a time
    uploads: int = 4  # at a time, one of which is classified
    workers: int = 2  # threads that hear streams
    idle_seconds: float = 600  # without a message, until a stream is ended


def create_app(
    model: Model, examples: Path | None = None, limits: Limits | None = None,
    hosts: list[str] | None = None,
) -> FastAPI:  # fmt: skip
    """Make the application.

    Args:
        model: from `songnet.realtime.load_model`.
        examples: folder with clips and ``examples.json``.
        limits: what to take on.
        hosts: names by which browsers may call the server; None for LOCAL_HOSTS.
    """
    limits = limits or Limits()
    torch.set_num_threads(1)
    app = FastAPI(title="SongNet", docs_url=None, redoc_url=None)
    # A page elsewhere that resolves its own name to this machine is turned away.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts or LOCAL_HOSTS)
    app.state.pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="songnet")
    # A thread of their own: two hours of music take minutes, in which streams must go on.
    app.state.uploads_pool = ThreadPoolExecutor(1, thread_name_prefix="songnet-upload")
    app.state.streams = app.state.uploads = 0
    clips = json.loads((examples / "examples.json").read_text()) if examples else []

    @app.get("/about")
    def get_about() -> dict[str, Any]:
        return about(model) | {
            "description": description(model),
            "colours": genre_colours(model.genres),
            "close_call": CLOSE_CALL,
            "max_seconds": limits.seconds,
            "idle_seconds": limits.idle_seconds,
            "n_mels": model.mel.n_mels,
            "frames_per_step": model.saved.network.frames_per_step,
            "examples": clips,
        }

    @app.post("/classify")
    async def classify(request: Request) -> Response:
        if app.state.uploads >= limits.uploads:
            busy = f"busy: {limits.uploads} files are being classified; try again later"
            return JSONResponse({"error": busy}, 503)
        app.state.uploads += 1
        try:
            return await _classify_upload(request, model, limits)
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


async def _classify_upload(request: Request, model: Model, limits: Limits) -> Response:
    """Body of a request, an audio file, as `songnet classify --json` would say it."""
    too_large = f"larger than {limits.upload_bytes / 2**20:g} MB"
    with tempfile.NamedTemporaryFile(prefix="songnet-upload-") as file:
        size = 0
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(limits.idle_seconds) as idle:
                async for piece in request.stream():
                    idle.reschedule(clock() + limits.idle_seconds)
                    size += len(piece)
                    if size > limits.upload_bytes:
                        return JSONResponse({"error": too_large}, 413)
                    file.write(piece)
        except TimeoutError:
            waited = f"nothing came for {limits.idle_seconds:g} seconds"
            return JSONResponse({"error": waited}, 408)
        file.flush()
        result = await asyncio.get_running_loop().run_in_executor(
            request.app.state.uploads_pool,
            partial(classify_file, model, file.name, max_seconds=limits.seconds),
        )
    if result.error:
        return JSONResponse({"error": result.error}, 422)
    row = as_json(model, [result])["files"][0]
    return JSONResponse({name: value for name, value in row.items() if name != "file"})


async def _serve_stream(socket: WebSocket, model: Model, limits: Limits) -> None:
    """Take samples, give steps.

    The client sends ``{"rate": Hz}``, then mono float32 samples in binary messages, then
    ``{"end": true}``. Each message is answered: ``{"steps": [...], "seconds": heard}``, or
    ``{"error": text}`` before the end of the conversation.
    """
    if not _same_origin(socket):
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


def _same_origin(socket: WebSocket) -> bool:
    """Whether the page that opened the socket is ours; programs send no origin."""
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host")


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
    heard = 0
    while True:
        message = await receive()
        content = message.get("bytes")
        if content is None:
            if _json(message).get("end") is not True:
                raise SongNetError('expected samples, or {"end": true}')
            steps = await run(stream.finish)
            await _send(socket, _answer(steps, heard / rate) | {"end": True}, close=1000)
            return
        samples = _samples(content)
        heard += len(samples)
        if heard > limits.seconds * rate:
            raise SongNetError(f"longer than {limits.seconds / 3600:g} hours")
        steps = await run(stream.push, samples)
        await _send(socket, _answer(steps, heard / rate))


def _rate(message: dict[str, Any]) -> int:
    rate = _json(message).get("rate")
    if not isinstance(rate, int) or rate not in RATES:
        raise SongNetError(f"the first message is {{'rate': Hz}}, {RATES[0]} to {RATES[-1]}")
    return rate


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
                "now": [round(float(p), 5) for p in step.now],
                "so_far": [round(float(p), 5) for p in step.so_far],
                # Levels from -100 to +50 dB as bytes, frame by frame.
                "mel": base64.b64encode(
                    np.clip((step.mel.T + 100) * (255 / 150), 0, 255).astype(np.uint8).tobytes()
                ).decode(),
            }
            for step in steps
        ],
    }


def serve(app: FastAPI, host: str, port: int) -> None:
    """Run until interrupted."""
    import uvicorn

    uvicorn.run(
        app, host=host, port=port, log_level="warning", ws_max_size=MESSAGE_BYTES + 1024,
        timeout_keep_alive=20,
    )  # fmt: skip
