"""Local server of the page and of the HTTP API, ``POST /classify``."""

import re
from pathlib import Path
from typing import Any

import torch
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from jinja2 import Environment, PackageLoader
from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from songnet import __version__
from songnet.realtime.site import MEDIA_TYPES, WEB, site_files
from songnet.realtime.stream import Model
from songnet.realtime.uploads import Limits, Uploads

LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]  # host names of this machine
DESCRIPTION = """\
Send an audio file as the request body or in a form. The response has the keys of
`songnet classify FILE --json`."""
AUDIO = {"type": "string", "format": "binary"}
REQUEST = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": AUDIO},
            "multipart/form-data": {"schema": {"type": "object", "properties": {"file": AUDIO}}},
        },
    }
}


class Turn(BaseModel):
    """A change of genre."""

    seconds: float
    genre: str


class Answer(BaseModel):
    """Result for a file."""

    seconds: float
    start_seconds: float
    classified_seconds: float
    lost_seconds: float
    prediction: str | None
    unsure: bool
    reason: str
    probabilities: dict[str, float] | None
    timeline: list[Turn]


class Problem(BaseModel):
    """Reason why a file has no prediction."""

    error: str


def create_app(
    models: list[Model], limits: Limits | None = None, hosts: list[str] | None = None
) -> FastAPI:
    """Create the application.

    Args:
        models: from `songnet.realtime.stream.load_model`; the API uses the first one.
        limits: limits of uploads.
        hosts: host names accepted in requests; None for LOCAL_HOSTS.
    """
    limits = limits or Limits()
    torch.set_num_threads(1)
    app = FastAPI(title="SongNet", version=__version__, docs_url=None, redoc_url=None)
    # Reject DNS rebinding: pages of other sites whose host name resolves to this machine.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts or LOCAL_HOSTS)
    app.add_middleware(_SecurityHeaders)
    files = site_files(models, offline=False)
    uploads = app.state.uploads = Uploads(models[0], limits)
    problems: dict[int | str, Any] = {
        400: {"model": Problem, "description": "The form contains no file."},
        403: {"model": Problem, "description": "The request comes from another site's page."},
        408: {"model": Problem, "description": "The upload is too slow."},
        413: {"model": Problem, "description": f"Larger than {limits.size / 2**20:g} MB."},
        422: {"model": Problem, "description": "Not audio, too short or too long."},
        503: {"model": Problem, "description": f"{limits.uploads} files are being processed."},
        507: {"model": Problem, "description": "No disk space left for uploads."},
    }

    @app.post(
        "/classify", summary="Classify an audio file", description=DESCRIPTION,
        response_model=Answer, responses=problems, openapi_extra=REQUEST,
    )  # fmt: skip
    async def classify(request: Request) -> Response:
        return await uploads.answer(request)

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        pages = Environment(loader=PackageLoader("songnet.realtime"), autoescape=True)
        page = pages.get_template("api.html").render(api=app.openapi(), limits=limits)
        return HTMLResponse(page)

    @app.api_route("/{name:path}", methods=["GET", "HEAD"], include_in_schema=False)
    def page(name: str) -> Response:
        file = files.get(name or "index.html")
        if file is None:
            raise HTTPException(404)
        media_type = MEDIA_TYPES.get(Path(name or "index.html").suffix)
        if isinstance(file, bytes):
            return Response(file, media_type=media_type)
        return FileResponse(file, media_type=media_type)

    return app


def _security_headers() -> dict[str, str]:
    page = (WEB / "index.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    return {
        # Unlike the other directives, frame-ancestors only works in a header.
        "Content-Security-Policy": f"{policy[1]}; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",  # a new training changes the page
    }


class _SecurityHeaders:
    """Adds security headers to all responses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = _security_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def serve(app: FastAPI, host: str, port: int) -> None:
    """Run the server until it is interrupted."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: Any = None) -> None:
            app.state.uploads.stopping.set()  # otherwise uvicorn waits for uploads
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", ws="none",
        timeout_keep_alive=20, timeout_graceful_shutdown=5,
    )  # fmt: skip
    Server(config).run()
