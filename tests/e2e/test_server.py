"""The server with regular, faulty and malicious clients."""

import http.client
import io
import json
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from songnet.realtime.classify import classify_file
from songnet.realtime.site import MEDIA_TYPES, WEB, content, site_files
from songnet.realtime.stream import load_model
from tests.e2e.conftest import Server, multipart, post

RATE = 44_100


def noise(seconds: float) -> NDArray[np.float32]:
    rng = np.random.default_rng(5)
    return (0.1 * rng.standard_normal(int(seconds * RATE))).astype(np.float32)


def wav(rate: int) -> bytes:
    """Build a WAV file with any sample rate that the header can hold, in Hz."""
    file = io.BytesIO()
    sf.write(file, noise(1), rate, format="WAV")
    return file.getvalue()


def test_upload_equals_classify_file(server: Server, trained: Path, clips: Path) -> None:
    file = sorted(clips.glob("Folk*.mp3"))[1]
    status, answer = post(server, file.read_bytes())
    expected = classify_file(load_model(trained), str(file), excerpt=None)
    assert status == 200 and expected.prediction is not None
    assert answer["prediction"] == expected.prediction.genre
    assert answer["probabilities"] == pytest.approx(expected.probabilities)


def get(server: Server, path: str, **headers: str) -> tuple[int, Any, bytes]:
    """Return status, headers and content of a response."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


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
def test_upload_without_audio_returns_422(
    server: Server, body: bytes, status: int, reason: str
) -> None:
    found, answer = post(server, body)
    assert found == status and answer["error"].startswith(reason)


def test_upload_of_three_hours_is_refused(server: Server) -> None:
    file = io.BytesIO()
    with sf.SoundFile(file, "w", 8_000, 1, format="FLAC") as sound:
        for _ in range(180):
            sound.write(np.zeros(60 * 8_000, np.float32))
    before = server.watched.memory_info().rss
    status, answer = post(server, file.getvalue())
    assert (status, answer["error"]) == (422, "longer than 2 hours")
    assert server.watched.memory_info().rss < before + 400 * 2**20


def test_upload_in_form_equals_classify_file(server: Server, trained: Path, clips: Path) -> None:
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
    assert post(server, no_file, headers) == (400, {"error": "the form contains no file"})
    status, answer = post(server, b"--y\r\nnonsense", headers)
    assert status == 400 and answer["error"].startswith("not a form with one file")


def test_upload_of_silence_has_no_genre(server: Server) -> None:
    file = io.BytesIO()
    sf.write(file, np.zeros(2 * RATE), RATE, format="WAV")
    status, answer = post(server, file.getvalue())
    assert (status, answer["prediction"], answer["unsure"]) == (200, None, True)
    assert answer["reason"] == "no music: nothing above -80 dB"


@contextmanager
def half_sent(server: Server, content: bytes, length: int) -> Iterator[socket.socket]:
    """Send part of an upload and never the rest."""
    head = f"POST /classify HTTP/1.1\r\nHost: {server.host}\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(head.encode() + content)
        yield raw


def test_uploads_beyond_limit_return_503(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(32):
            stack.enter_context(half_sent(server, b"R", 100))
        for _ in range(100):
            status, answer = post(server, wav(RATE))
            if status == 503:  # all requests have arrived
                break
            time.sleep(0.1)
        assert (status, answer) == (503, {"error": "busy with 32 files; try again later"})
        assert get(server, "/")[0] == 200
    for _ in range(100):
        if post(server, wav(RATE))[0] == 200:
            return
        time.sleep(0.1)
    raise AssertionError("places of those who have gone are not free again")


def test_stalled_uploads_do_not_block_others(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(half_sent(server, b"R", 100))
        assert post(server, wav(RATE))[0] == 200


def test_uploads_of_disconnected_clients_are_dropped(server: Server) -> None:
    """Half an hour of audio would block the only thread for seconds, and other uploads with it."""
    file = io.BytesIO()
    with sf.SoundFile(file, "w", 22_050, 1, format="FLAC") as sound:
        # FLAC compresses quiet noise to few bits.
        minute = np.tile(noise(6), 5)[: 60 * 22_050] / 100
        for _ in range(30):
            sound.write(minute)
    content = file.getvalue()
    before = server.watched.cpu_times().user
    for _ in range(4):
        with half_sent(server, content, len(content)):
            time.sleep(0.2)
    assert post(server, wav(RATE))[0] == 200
    took = server.watched.cpu_times().user - before
    assert post(server, content)[0] == 200
    assert took < server.watched.cpu_times().user - before - took


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, "FLAC"), (signal.SIGTERM, "MP3")])
def test_signal_stops_busy_server(
    trained: Path, tmp_path: Path, number: signal.Signals, kind: str
) -> None:
    """With a half-sent upload, and a long one that is being classified."""
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


def test_killed_server_leaves_no_uploads(trained: Path, tmp_path: Path) -> None:
    server = Server(trained, tmp_path)
    server.wait()
    with half_sent(server, bytes(3_000_000), 4_000_000):
        time.sleep(0.5)
        server.process.kill()
        server.process.communicate(timeout=10)
    assert not list(tmp_path.iterdir())


def test_host_for_all_addresses_prints_warning(trained: Path, tmp_path: Path) -> None:
    server = Server(trained, tmp_path, "--host", "0.0.0.0")
    server.wait()
    server.process.terminate()
    output = server.process.communicate(timeout=10)[0].decode()
    assert f"Serving at http://localhost:{server.port}/" in output
    assert "warning: every device on this network can open the page at http://" in output


def test_upload_over_500_mb_returns_413(server: Server) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(600):
            yield b"\0" * 2**20

    try:
        status, answer = post(server, endless(), {"Transfer-Encoding": "chunked"})
        assert (status, answer["error"]) == (413, "larger than 500 MB")
    except (ConnectionError, http.client.HTTPException):
        pass  # the server closed the connection while the client was sending, which is fine


def test_other_origins_and_hosts_are_refused(server: Server) -> None:
    for origin in ("http://evil.example", "http://[::1", "null"):
        assert post(server, wav(RATE), {"Origin": origin}) == (
            403,
            {"error": "the request comes from another site's page"},
        )
    assert post(server, wav(RATE), {"Origin": f"http://{server.host}"})[0] == 200
    # A host name of another site that resolves to this machine (DNS rebinding).
    assert get(server, "/", Host="evil.example")[0] == 400


def test_responses_have_security_headers(server: Server) -> None:
    for path in ("/", "/worker.js", "/docs", "/no"):
        _, headers, _ = get(server, path)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_server_serves_files_of_site(server: Server, trained: Path) -> None:
    for name, file in site_files([load_model(trained)], offline=False).items():
        status, headers, found = get(server, f"/{name}")
        assert (status, found) == (200, content(file)), name
        kind = MEDIA_TYPES[Path(name).suffix]
        assert headers["Content-Type"] == kind and headers["Cache-Control"] == "no-cache"
    assert get(server, "/")[2] == (WEB / "index.html").read_bytes()
    assert get(server, "/sw.js")[0] == 404  # a local server is not cached


def test_api_is_documented(server: Server) -> None:
    status, _, content = get(server, "/openapi.json")
    api = json.loads(content)
    assert status == 200 and list(api["paths"]) == ["/classify"]
    one = api["paths"]["/classify"]["post"]
    assert {"application/octet-stream", "multipart/form-data"} == one["requestBody"][
        "content"
    ].keys()
    assert {"200", "403", "408", "413", "422", "503"} <= one["responses"].keys()
    keys = api["components"]["schemas"]["Answer"]["properties"].keys()
    assert keys == post(server, wav(RATE))[1].keys()
    status, headers, content = get(server, "/docs")
    page = content.decode()
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert "POST /classify" in page and "<code>lost_seconds</code>" in page
    assert "curl -F file=@song.mp3" in page and "2.0 hours" in page
    assert "http" not in page.replace("http://127.0.0.1:8765/", "")  # nothing from other hosts


def test_paths_outside_site_return_404(server: Server) -> None:
    for path in ("/../server.py", "/%2e%2e/server.py", "/examples/../best.safetensors"):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
            assert b" 404 " in raw.recv(4096).splitlines()[0]
