"""The server against honest, clumsy and hostile clients."""

import http.client
import io
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from songnet.realtime.classify import classify_file
from songnet.realtime.stream import load_model
from tests.e2e.conftest import Server, multipart, post

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


def test_a_stream_gets_the_prediction_of_the_file(
    server: Server, trained: Path, clips: Path
) -> None:
    file = sorted(clips.glob("Rock*.mp3"))[1]
    samples, rate = sf.read(file, dtype="float32")
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    with stream(server, rate) as socket:
        steps = hear(socket, mono)
    expected = classify_file(load_model(trained), str(file), excerpt=None).probabilities
    assert expected is not None
    np.testing.assert_allclose(steps[-1]["overall"], list(expected.values()), atol=1e-3)
    assert steps[0]["seconds"] == pytest.approx(0.3715, abs=1e-3)


def test_an_upload_gets_the_prediction_of_the_file(
    server: Server, trained: Path, clips: Path
) -> None:
    file = sorted(clips.glob("Folk*.mp3"))[1]
    status, answer = post(server, file.read_bytes())
    expected = classify_file(load_model(trained), str(file), excerpt=None)
    assert status == 200 and expected.prediction is not None
    assert answer["prediction"] == expected.prediction.genre
    assert answer["probabilities"] == pytest.approx(expected.probabilities)


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 422, "empty file"),
        (np.random.default_rng(1).bytes(50_000), 422, "not decodable"),
        (b"<html>hello</html>", 422, "not decodable"),
        (b"RIFF" + b"\0" * 100, 422, "not decodable"),
        (wav(2_000_000_000), 422, "not music: 1 channels at 2000000000 Hz"),
        (wav(100), 422, "not music: 1 channels at 100 Hz"),
    ],
)
def test_what_is_no_audio_gets_one_sentence(
    server: Server, body: bytes, status: int, reason: str
) -> None:
    found, answer = post(server, body)
    assert found == status and answer["error"].startswith(reason)


def test_three_hours_are_too_long(server: Server) -> None:
    file = io.BytesIO()
    with sf.SoundFile(file, "w", 8_000, 1, format="FLAC") as sound:
        for _ in range(180):
            sound.write(np.zeros(60 * 8_000, np.float32))
    before = server.watched.memory_info().rss
    status, answer = post(server, file.getvalue())
    assert (status, answer["error"]) == (422, "longer than 2 hours")
    assert server.watched.memory_info().rss < before + 400 * 2**20


def test_an_upload_in_a_form_is_taken(server: Server, trained: Path, clips: Path) -> None:
    file = sorted(clips.glob("Folk*.mp3"))[1]
    status, answer = post(server, *multipart(file.read_bytes(), "song.mp3"))
    expected = classify_file(load_model(trained), str(file), excerpt=None)
    assert status == 200 and answer["probabilities"] == pytest.approx(expected.probabilities)
    body, headers = multipart(file.read_bytes(), "song.mp3")
    loud = {
        "Content-Type": headers["Content-Type"].replace(
            "multipart/form-data", "Multipart/FORM-Data"
        )
    }
    assert post(server, body, loud) == (status, answer)
    body, headers = multipart(b"", "song.mp3")
    assert post(server, body, headers) == (422, {"error": "empty file"})
    no_file = body.replace(b'; filename="song.mp3"', b"")
    assert post(server, no_file, headers) == (400, {"error": "the form has no file"})
    status, answer = post(server, b"--y\r\nnonsense", headers)
    assert status == 400 and answer["error"].startswith("not a form with one file")


def test_silence_gets_no_genre(server: Server) -> None:
    file = io.BytesIO()
    sf.write(file, np.zeros(2 * RATE), RATE, format="WAV")
    status, answer = post(server, file.getvalue())
    assert (status, answer["prediction"], answer["unsure"]) == (200, None, True)
    assert answer["reason"] == "no music: nothing above -80 dB"
    with stream(server) as socket:
        assert all(step["silent"] for step in hear(socket, np.zeros(RATE, np.float32)))
    with stream(server) as socket:
        steps = hear(socket, np.concatenate([np.zeros(RATE, np.float32), noise(1)]))
        assert [step["silent"] for step in steps] == [True, True, False, False, False]


@contextmanager
def half_sent(server: Server, content: bytes, length: int) -> Iterator[socket.socket]:
    """An upload of which so much has been sent, and the rest never comes."""
    head = f"POST /classify HTTP/1.1\r\nHost: {server.host}\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(head.encode() + content)
        yield raw


def test_uploads_have_so_many_places_and_streams_do_not_wait(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(32):
            stack.enter_context(half_sent(server, b"R", 100))
        for _ in range(100):
            status, answer = post(server, wav(RATE))
            if status == 503:  # all of them have arrived
                break
            time.sleep(0.1)
        assert (status, answer) == (503, {"error": "busy: 32 files are here; try again later"})
        with stream(server) as socket:
            assert len(hear(socket, noise(1))) == 2
    for _ in range(100):
        if post(server, wav(RATE))[0] == 200:
            return
        time.sleep(0.1)
    raise AssertionError("places of those who have gone are not free again")


def test_uploads_that_stand_still_do_not_keep_others_out(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(half_sent(server, b"R", 100))
        assert post(server, wav(RATE))[0] == 200


def test_who_has_gone_is_not_classified(server: Server) -> None:
    """Ten minutes would take the one thread for a while, and another upload would wait for it."""
    file = io.BytesIO()
    with sf.SoundFile(file, "w", 22_050, 1, format="FLAC") as sound:
        for _ in range(10):
            sound.write(np.tile(noise(6), 5)[: 60 * 22_050])
    content = file.getvalue()
    before = server.watched.cpu_times().user
    for _ in range(4):
        with half_sent(server, content, len(content)):
            time.sleep(0.3)
    assert post(server, wav(RATE))[0] == 200
    took = server.watched.cpu_times().user - before
    assert post(server, content)[0] == 200
    assert took < server.watched.cpu_times().user - before - took


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, "FLAC"), (signal.SIGTERM, "MP3")])
def test_a_signal_ends_the_server_whatever_it_does(
    trained: Path, tmp_path: Path, number: signal.Signals, kind: str
) -> None:
    """With an upload half sent, and a long one that is being classified."""
    file = io.BytesIO()
    with sf.SoundFile(file, "w", 22_050, 1, format=kind) as sound:
        for _ in range(40):
            sound.write(np.tile(noise(6), 5)[: 60 * 22_050])
    content = file.getvalue()
    server = Server(trained, tmp_path)
    server.wait()
    with half_sent(server, b"RIFF", 100), half_sent(server, content, len(content)):
        while server.watched.cpu_percent(0.2) < 50:
            pass
        server.process.send_signal(number)
        output, _ = server.process.communicate(timeout=10)
    assert b"Traceback" not in output, output.decode()
    assert not list(tmp_path.iterdir())


def test_a_killed_server_leaves_no_uploads(trained: Path, tmp_path: Path) -> None:
    server = Server(trained, tmp_path)
    server.wait()
    with half_sent(server, bytes(3_000_000), 4_000_000):
        time.sleep(0.5)
        server.process.kill()
        server.process.communicate(timeout=10)
    assert not list(tmp_path.iterdir())


def test_all_addresses_are_named_with_a_warning(trained: Path, tmp_path: Path) -> None:
    server = Server(trained, tmp_path, "--host", "0.0.0.0")
    server.wait()
    server.process.terminate()
    output = server.process.communicate(timeout=10)[0].decode()
    assert f"SongNet listens at http://localhost:{server.port}/" in output
    assert "warning: everybody in this network can use it, at http://" in output


def test_an_upload_that_is_too_large_is_cut_off(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(600):
            yield b"\0" * 2**20

    try:
        status, answer = post(server, endless(), {"Transfer-Encoding": "chunked"})
        assert (status, answer["error"]) == (413, "larger than 500 MB")
    except (ConnectionError, http.client.HTTPException):
        pass  # the server hung up while we were still sending: as good an answer


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (["hello"], "the first message is"),
        (['{"rate": 1}'], "the first message is"),
        (['{"rate": 44100.5}'], "the first message is"),
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
    assert np.isfinite([step["overall"] for step in steps]).all()


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
    for origin in ("http://evil.example", "http://[::1", "null"):
        assert post(server, wav(RATE), {"Origin": origin}) == (
            403,
            {"error": "another page's origin"},
        )
    assert post(server, wav(RATE), {"Origin": f"http://{server.host}"})[0] == 200
    # A name that another site points at this machine.
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/about", headers={"Host": "evil.example"})
    assert connection.getresponse().status == 400


def test_answers_forbid_what_the_page_does_not_need(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", "/")
    headers = connection.getresponse().headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_rate_may_be_any_number_that_is_whole(server: Server) -> None:
    with connect(f"ws://{server.host}/stream") as socket:
        socket.send('{"rate": 44100.0}')
        assert len(hear(socket, noise(1))) == 2


def test_files_outside_are_not_served(server: Server) -> None:
    for path in ("/../server.py", "/%2e%2e/server.py", "/examples/../best.safetensors"):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
            assert b" 404 " in raw.recv(4096).splitlines()[0]


def test_fifty_at_once_and_those_who_vanish(server: Server, trained: Path) -> None:
    """Fifty streams side by side, half of which are torn off; the others get what is right."""
    samples = noise(6)
    with stream(server) as alone:
        expected = hear(alone, samples)[-1]["overall"]
    found: list[Any] = []

    def honest() -> None:
        with stream(server) as socket:
            found.append(hear(socket, samples)[-1]["overall"])

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
