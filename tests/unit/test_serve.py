"""`songnet serve`: what a user can get wrong is one line; our own errors are not the client's."""

import asyncio
import errno
import json
import socket
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from songnet import cli
from songnet.errors import SongNetError
from songnet.realtime import classify, server


def test_a_wrong_port_and_a_killed_job_cost_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "examples").mkdir()  # a killed job leaves no examples.json
    seen: list[Any] = []
    model = SimpleNamespace(path=tmp_path / "best.safetensors")
    monkeypatch.setattr(classify, "find_model", lambda path: model)
    monkeypatch.setattr(server, "create_app", lambda model, examples, hosts: seen.append(examples))
    options: Any = SimpleNamespace(model=None, host="127.0.0.1", port=70000)
    with pytest.raises(SongNetError, match="--port: 70000"):
        cli._serve(options)
    assert seen == [None]


def test_an_address_that_cannot_be_is_named_by_its_option() -> None:
    for host in ("nonsense.invalid", "a..b"):
        with pytest.raises(SongNetError, match=f"^--host: {host}: "):
            cli._check_address(host, 8765)
    with pytest.raises(SongNetError, match=r"^--host: 192\.0\.2\.1 is no address of this machine"):
        cli._check_address("192.0.2.1", 8765)  # kept for documents
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            SongNetError, match=rf"^--port: 127\.0\.0\.1:{port}: .*; choose another"
        ):
            cli._check_address("127.0.0.1", port)


def has_ipv6() -> bool:
    """Whether this machine has IPv6's address of its own."""
    addresses = Path("/proc/net/if_inet6")
    return addresses.exists() and f"{1:032x} " in addresses.read_text()


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_a_page_may_be_at_the_sixth_versions_own_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        classify, "find_model", lambda path: SimpleNamespace(path=tmp_path / "best.safetensors")
    )
    monkeypatch.setattr(classify, "description", lambda model: "A network.")
    monkeypatch.setattr(server, "create_app", lambda model, examples, hosts: seen.append(hosts))
    monkeypatch.setattr(server, "serve", lambda app, host, port: seen.append(host))
    options: Any = SimpleNamespace(model=None, host="::1", port=48765, no_browser=True)
    assert cli._serve(options) == 0
    assert seen == [None, "::1"]  # answers only to its own name
    assert "SongNet listens at http://[::1]:48765/" in capsys.readouterr().out


class Client:
    """Sends a second of silence, and perhaps does not wait for the answer."""

    headers: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, pool: ThreadPoolExecutor, gone: bool) -> None:
        self.app = SimpleNamespace(state=SimpleNamespace(pool=pool, streams=0))
        self.gone = gone
        self.messages: list[dict[str, Any]] = [
            {"type": "websocket.receive", "text": json.dumps({"rate": 8000})},
            {"type": "websocket.receive", "bytes": bytes(4 * 8000)},
        ]

    async def accept(self) -> None:
        pass

    async def receive(self) -> dict[str, Any]:
        return self.messages.pop(0)

    async def send_json(self, answer: dict[str, Any]) -> None:
        if self.gone:
            raise RuntimeError('Cannot call "send" once a close message has been sent.')


def test_an_upload_that_is_too_slow_gives_its_place_away() -> None:
    async def stopping() -> AsyncIterator[bytes]:
        yield b"RIFF"
        await asyncio.sleep(3600)

    async def upload() -> None:
        state = SimpleNamespace(stopping=asyncio.Event())
        request: Any = SimpleNamespace(
            stream=stopping, headers={}, app=SimpleNamespace(state=state)
        )
        limits = server.Limits(upload_grace_seconds=0.05)
        await server._classify_upload(request, None, limits)  # type: ignore[arg-type]

    with pytest.raises(server._RefusedError, match="too slow: 4 bytes in 0 seconds") as error:
        asyncio.run(upload())
    assert error.value.status == 408


def test_a_full_disk_is_one_line_for_who_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"RIFF"

    def full() -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    request: Any = SimpleNamespace(stream=stream, headers={})
    with pytest.raises(server._RefusedError, match="no space left for uploads") as error:
        asyncio.run(server._receive(request, server.Limits()))
    assert error.value.status == 507


@pytest.mark.parametrize("gone", [False, True])
def test_an_error_of_ours_is_not_taken_for_a_client_that_has_gone(
    gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def push(samples: Any) -> list[Any]:
        if not gone:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
        return []

    monkeypatch.setattr(server, "Stream", lambda model, rate: SimpleNamespace(push=push))
    with ThreadPoolExecutor(1) as pool:
        client: Any = Client(pool, gone)
        talk = server._serve_stream(client, None, server.Limits())  # type: ignore[arg-type]
        if gone:
            asyncio.run(talk)
        else:
            with pytest.raises(RuntimeError, match="cannot be multiplied"):
                asyncio.run(talk)
        assert client.app.state.streams == 0
