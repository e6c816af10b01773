"""`songnet serve`: user errors are one line, and internal errors are not blamed on the client."""

import asyncio
import errno
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from songnet.commands import serve
from songnet.errors import SongNetError
from songnet.realtime import classify, server, site, uploads


def test_serve_reports_wrong_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "find_models", lambda paths: [])
    monkeypatch.setattr(server, "create_app", lambda models, hosts: None)
    options: Any = SimpleNamespace(model=None, host="127.0.0.1", port=70000)
    with pytest.raises(SongNetError, match="--port: 70000"):
        serve.run(options)


def test_check_address_reports_option() -> None:
    for host in ("nonsense.invalid", "a..b"):
        with pytest.raises(SongNetError, match=f"^--host: {host}: "):
            serve.check_address(host, 8765)
    with pytest.raises(
        SongNetError, match=r"^--host: 192\.0\.2\.1 is not an address of this machine"
    ):
        serve.check_address("192.0.2.1", 8765)  # an address reserved for documentation
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            SongNetError, match=rf"^--port: 127\.0\.0\.1:{port}: .*; choose another"
        ):
            serve.check_address("127.0.0.1", port)


def has_ipv6() -> bool:
    """Return whether this machine has an IPv6 loopback address."""
    addresses = Path("/proc/net/if_inet6")
    return addresses.exists() and f"{1:032x} " in addresses.read_text()


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_serve_at_ipv6_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(site, "find_models", lambda paths: [SimpleNamespace()])
    monkeypatch.setattr(classify, "description", lambda model: "A network.")
    monkeypatch.setattr(server, "create_app", lambda models, hosts: seen.append(hosts))
    monkeypatch.setattr(server, "serve", lambda app, host, port: seen.append(host))
    options: Any = SimpleNamespace(model=None, host="::1", port=48765, no_browser=True)
    assert serve.run(options) == 0
    assert seen == [None, "::1"]  # answers only to its own host name
    assert "Serving at http://[::1]:48765/" in capsys.readouterr().out


def test_uploads_refuse_slow_upload() -> None:
    async def stopping() -> AsyncIterator[bytes]:
        yield b"RIFF"
        await asyncio.sleep(3600)

    async def upload() -> None:
        request: Any = SimpleNamespace(stream=stopping, headers={})
        model: Any = None
        await uploads.Uploads(model, uploads.Limits(grace_seconds=0.05)).classify(request)

    with pytest.raises(uploads.RefusedError, match="too slow: 4 bytes in 0 seconds") as error:
        asyncio.run(upload())
    assert error.value.status == 408


def test_receive_on_full_disk_returns_507(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"RIFF"

    def full() -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    request: Any = SimpleNamespace(stream=stream, headers={})
    with pytest.raises(uploads.RefusedError, match="no space left for uploads") as error:
        asyncio.run(uploads.receive(request, uploads.Limits()))
    assert error.value.status == 507
