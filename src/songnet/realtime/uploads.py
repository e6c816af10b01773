"""Uploads of audio files, received within limits and classified one at a time.

Uploads are stored in unnamed temporary files, so that even a killed server leaves none behind.
"""

import asyncio
import tempfile
import threading
from collections.abc import AsyncGenerator, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from songnet.errors import SongNetError, UnusableClipError
from songnet.io import FULL
from songnet.realtime.classify import as_row, classify
from songnet.realtime.stream import Model


@dataclass(frozen=True)
class Limits:
    """Limits of a server."""

    seconds: float = 2 * 3600  # longest music in a file
    size: int = 500 * 2**20  # largest file, bytes
    uploads: int = 32  # uploads at a time, one of which is being classified
    grace_seconds: float = 20  # time for an upload, in addition to its size / bytes_per_second
    bytes_per_second: int = 20_000  # slowest upload


class RefusedError(Exception):
    """An upload without a prediction; the message is returned to the client."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


class Uploads:
    """Handles requests that upload a file."""

    def __init__(self, model: Model, limits: Limits) -> None:
        self._model = model
        self._limits = limits
        # One at a time, since each needs memory for its decoder and network.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="songnet-upload")
        self._count = 0
        self.stopping = asyncio.Event()  # when set, all waiting requests are rejected

    async def answer(self, request: Request) -> Response:
        """Return the prediction, or the problem, as a JSON response."""
        limits = self._limits
        self._count += 1
        try:
            if _is_foreign(request.headers):
                raise RefusedError(403, "the request comes from another site's page")
            if self._count > limits.uploads:
                raise RefusedError(503, f"busy with {limits.uploads} files; try again later")
            return JSONResponse(await self.classify(request))
        except RefusedError as refused:
            return JSONResponse({"error": str(refused)}, refused.status)
        except ClientDisconnect:
            return Response(status_code=400)  # never read: the client has disconnected
        finally:
            self._count -= 1

    async def classify(self, request: Request) -> dict[str, Any]:
        """Classify the file in a request body or form, as `songnet classify --json` does.

        Raises:
            RefusedError: the file cannot be received or classified.
            ClientDisconnect: the client has disconnected.
        """
        file = await _unless(self.stopping.wait(), receive(request, self._limits))
        over = threading.Event()
        watched = cast(BinaryIO, _Watched(file, over))
        job = self._pool.submit(classify, self._model, watched, "", self._limits.seconds)
        job.add_done_callback(lambda _: file.close())
        try:
            work = _unless(_disconnected(request), asyncio.wrap_future(job))
            result = await _unless(self.stopping.wait(), work)
        except (SongNetError, UnusableClipError) as error:
            raise RefusedError(422, str(error)) from None
        finally:
            over.set()
        row = as_row(result)
        return {name: value for name, value in row.items() if name != "file"}


class _Watched:
    """A file whose reads fail once an event is set, which stops its decoder."""

    def __init__(self, file: Any, over: threading.Event) -> None:
        self._file, self._over = file, over
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if self._over.is_set():
            raise ClientDisconnect
        content: bytes = self._file.read(size)
        return content

    def readinto(self, buffer: Any) -> int:
        """Read for libsndfile, through which no exception can pass: end the file instead."""
        return 0 if self._over.is_set() else int(self._file.readinto(buffer))


async def _unless(event: Coroutine[Any, Any, Any], work: Any) -> Any:
    """Return the result of some work, unless an event happens first.

    Raises:
        RefusedError: the event happened first.
    """
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(event)
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise RefusedError(503, "the server is stopping, or the client has disconnected")
    finally:
        working.cancel()
        waiting.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def receive(request: Request, limits: Limits) -> BinaryIO:
    """Write the file in a request to an unnamed temporary file."""
    pieces = _pieces(request, limits)
    try:
        if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            form = await MultiPartParser(request.headers, pieces, max_files=1).parse()
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if not files:
                raise RefusedError(400, "the form contains no file")
            return files[0].file
        file = tempfile.TemporaryFile()  # noqa: SIM115
        async for piece in pieces:
            file.write(piece)
        return file
    except MultiPartException as error:
        raise RefusedError(400, f"not a form with one file: {error.message}") from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise RefusedError(507, f"{tempfile.gettempdir()}: no space left for uploads") from None


async def _pieces(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    """Yield the body of a request in chunks.

    Raises:
        RefusedError: the upload is too large or too slow.
    """
    stream, size = aiter(request.stream()), 0
    clock = asyncio.get_running_loop().time
    started = clock()
    while True:
        allowed = limits.grace_seconds + size / limits.bytes_per_second
        try:
            piece = await asyncio.wait_for(anext(stream), started + allowed - clock())
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RefusedError(408, f"too slow: {size} bytes in {allowed:.0f} seconds") from None
        size += len(piece)
        if size > limits.size:
            raise RefusedError(413, f"larger than {limits.size / 2**20:g} MB")
        yield piece


def _is_foreign(headers: Mapping[str, str]) -> bool:
    """Return whether a page of another site sent the request; programs send no origin."""
    try:
        return "origin" in headers and urlsplit(headers["origin"]).netloc != headers.get("host")
    except ValueError:  # not a URL
        return True
