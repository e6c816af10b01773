"""The server against honest, clumsy and hostile clients."""

import http.client
import io
import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from songnet.classify import classify_file
from songnet.realtime import load_model
from tests.e2e.conftest import Server

RATE = 44_100


def noise(seconds: float) -> NDArray[np.float32]:
    rng = np.random.default_rng(5)
    return (0.1 * rng.standard_normal(int(seconds * RATE))).astype(np.float32)


def wav(rate: int) -> bytes:
    """A WAV file of any rate that its header can tell, in Hz."""
    file = io.BytesIO()
    sf.write(file, noise(1), rate, format="WAV")
    return file.getvalue()


@contextmanager
def stream(server: Server, rate: int = RATE, **headers: str) -> Iterator[ClientConnection]:
    with connect(f"ws://{server.host}/stream", additional_headers=headers) as socket:
        socket.send(json.dumps({"rate": rate}))
        yield socket


def hear(socket: ClientConnection, samples: NDArray[np.float32], size: int = 32_768) -> list[Any]:
    """Send all samples, then the end; all steps."""
    steps = []
    for start in range(0, len(samples), size):
        socket.send(samples[start : start + size].tobytes())
        steps += json.loads(socket.recv(30))["steps"]
    socket.send('{"end": true}')
    answer = json.loads(socket.recv(30))
    assert answer["end"] is True
    return steps + answer["steps"]


def post(server: Server, body: Any, path: str = "/classify", **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read() or b"null")


def leftovers() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob("songnet-upload-*"))


def test_a_stream_gets_the_verdict_of_the_file(server: Server, trained: Path, clips: Path) -> None:
    file = sorted(clips.glob("Rock*.mp3"))[1]
    samples, rate = sf.read(file, dtype="float32")
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    with stream(server, rate) as socket:
        steps = hear(socket, mono)
    expected = classify_file(load_model(trained), str(file)).probabilities
    assert expected is not None
    np.testing.assert_allclose(steps[-1]["so_far"], list(expected.values()), atol=1e-3)
    assert steps[0]["seconds"] == pytest.approx(0.3715, abs=1e-3)


def test_an_upload_gets_the_verdict_of_the_file(server: Server, trained: Path, clips: Path) -> None:
    file = sorted(clips.glob("Folk*.mp3"))[1]
    status, answer = post(server, file.read_bytes())
    expected = classify_file(load_model(trained), str(file))
    assert status == 200 and expected.verdict is not None
    assert answer["verdict"] == expected.verdict.genre
    assert answer["probabilities"] == pytest.approx(expected.probabilities)
    assert not leftovers()


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 422, "empty file"),
        (np.random.default_rng(1).bytes(50_000), 422, "not decodable"),
        (b"<html>hello</html>", 422, "not decodable"),
        (b"RIFF" + b"\0" * 100, 422, "not decodable"),
        (wav(2_000_000_000), 422, "no music: 1 channels at 2000000000 Hz"),
    ],
)
def test_what_is_no_audio_gets_one_sentence(
    server: Server, body: bytes, status: int, reason: str
) -> None:
    found, answer = post(server, body)
    assert found == status and answer["error"].startswith(reason)
    assert not leftovers()


def test_three_hours_are_too_long(server: Server) -> None:
    file = io.BytesIO()
    with sf.SoundFile(file, "w", 8_000, 1, format="FLAC") as sound:
        for _ in range(180):
            sound.write(np.zeros(60 * 8_000, np.float32))
    before = server.watched.memory_info().rss
    status, answer = post(server, file.getvalue())
    assert (status, answer["error"]) == (422, "longer than 2 hours")
    assert server.watched.memory_info().rss < before + 400 * 2**20


def test_uploads_wait_for_each_other_and_streams_do_not_wait(server: Server) -> None:
    file = io.BytesIO()
    sf.write(file, np.tile(noise(10), 18), RATE, format="FLAC")
    with ThreadPoolExecutor(7) as pool:
        uploads = [pool.submit(post, server, file.getvalue()) for _ in range(7)]
        busy = next(as_completed(uploads)).result()
        assert busy == (503, {"error": "busy: 4 files are being classified; try again later"})
        with stream(server) as socket:
            assert len(hear(socket, noise(1))) == 2
        assert not all(upload.done() for upload in uploads)
    assert sorted(upload.result()[0] for upload in uploads) == [200] * 4 + [503] * 3


def test_an_upload_that_is_too_large_is_cut_off(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(600):
            yield b"\0" * 2**20

    try:
        status, answer = post(server, endless(), **{"Transfer-Encoding": "chunked"})
        assert (status, answer["error"]) == (413, "larger than 500 MB")
    except (ConnectionError, http.client.HTTPException):
        pass  # the server hung up while we were still sending: as good an answer
    for _ in range(50):  # which reaches us before the server has cleaned up
        if not leftovers():
            return
        time.sleep(0.1)
    raise AssertionError(leftovers())


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (["hello"], "the first message is"),
        (['{"rate": 1}'], "the first message is"),
        (['{"rate": "44100"}'], "the first message is"),
        ([b"\0" * 8], "the first message is"),
        (['{"rate": 44100}', b"\0" * 7], "samples are float32"),
        (['{"rate": 44100}', "nonsense"], "expected samples"),
        (['{"rate": 44100}', "[" * 5_000], "expected samples"),
    ],
)
def test_nonsense_gets_one_sentence(
    server: Server, messages: list[str | bytes], reason: str
) -> None:
    with connect(f"ws://{server.host}/stream") as socket:
        for message in messages:
            socket.send(message)
        assert json.loads(socket.recv(10))["error"].startswith(reason)
        with pytest.raises(ConnectionClosed):
            socket.recv(10)


def test_samples_that_are_not_finite_are_silence(server: Server) -> None:
    bad = noise(1)
    bad[100:200] = np.nan
    bad[300] = np.inf
    with stream(server) as socket:
        steps = hear(socket, bad)
    assert np.isfinite([step["so_far"] for step in steps]).all()


def test_a_message_that_is_too_large_ends_only_its_stream(server: Server) -> None:
    with stream(server) as other, stream(server) as socket:
        socket.send(b"\0" * (2**21))
        with pytest.raises(ConnectionClosed):
            socket.recv(10)
        assert len(hear(other, noise(1))) == 2


def test_another_origin_is_turned_away(server: Server) -> None:
    with pytest.raises(InvalidStatus), stream(server, Origin="http://evil.example"):
        pass
    with stream(server, Origin=f"http://{server.host}") as socket:
        assert len(hear(socket, noise(1))) == 2
    # A name that another site points at this machine.
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/about", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 400


def test_files_outside_are_not_served(server: Server) -> None:
    for path in ("/../server.py", "/%2e%2e/server.py", "/examples/../best.safetensors"):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
            assert b" 404 " in raw.recv(4096).splitlines()[0]


def test_fifty_at_once_and_those_who_vanish(server: Server, trained: Path) -> None:
    """Fifty streams side by side, half of which are torn off; the others get what is right."""
    samples = noise(6)
    with stream(server) as alone:
        expected = hear(alone, samples)[-1]["so_far"]
    found: list[Any] = []

    def honest() -> None:
        with stream(server) as socket:
            found.append(hear(socket, samples)[-1]["so_far"])

    def vanishing() -> None:
        with stream(server) as socket:
            socket.send(samples[:30_000].tobytes())
            socket.socket.shutdown(2)

    def slow() -> None:
        with stream(server) as socket:
            for start in range(0, 4_000, 400):
                socket.send(samples[start : start + 400].tobytes())
                time.sleep(0.05)

    def rounds() -> tuple[int, int]:
        """Threads and resident bytes of the server after fifty clients."""
        kinds = [honest] * 20 + [vanishing] * 25 + [slow] * 5
        threads = [threading.Thread(target=kind) for kind in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        time.sleep(1)
        return server.watched.num_threads(), server.watched.memory_info().rss

    rounds()
    first = rounds()
    for _ in range(3):
        last = rounds()
    assert len(found) == 100
    np.testing.assert_allclose(found, np.tile(expected, (100, 1)), atol=1e-4)
    assert last[0] <= first[0]
    assert last[1] < first[1] + 20 * 2**20
    assert not leftovers()


def test_more_than_the_server_takes_are_told_so(server: Server) -> None:
    from contextlib import ExitStack

    with ExitStack() as stack:
        for _ in range(64):
            stack.enter_context(stream(server))
        for _ in range(2):
            late = stack.enter_context(connect(f"ws://{server.host}/stream"))
            assert json.loads(late.recv(10))["error"].startswith("busy: 64 streams")
    end = time.monotonic() + 30
    while True:  # until the others have ended
        with suppress(KeyError, ConnectionClosed), stream(server) as again:
            assert len(hear(again, noise(1))) == 2
            break
        assert time.monotonic() < end
        time.sleep(0.1)
