"""The command `songnet` as users run it."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from songnet.features.audio import decode, resample
from songnet.realtime.stream import load_model
from tests.variants import ffmpeg, wav


def songnet(
    *arguments: str | Path, stdin: bytes | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "songnet.cli", *map(str, arguments)],
        input=stdin, capture_output=True, timeout=120, cwd=folder,
    )  # fmt: skip


@pytest.fixture(scope="module")
def variants(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One clip at several sample rates and in several formats."""
    folder = tmp_path_factory.mktemp("variants")
    clip = decode(io.BytesIO(sorted(clips.glob("Rock*.mp3"))[0].read_bytes()))
    mono = resample(clip, 22_050)
    found = []
    for kind, rate in [("wav", 48_000), ("flac", 44_100), ("ogg", 32_000), ("mp3", 22_050)]:
        import soxr

        samples = soxr.resample(mono, 22_050, rate)
        path = folder / f"song.{kind}"
        sf.write(path, np.column_stack([samples, samples]), rate)
        found.append(path)
    return found


def test_classify_predicts_the_same_for_wav_flac_ogg_and_mp3(
    trained: Path, variants: list[Path]
) -> None:
    run = songnet("classify", *variants, "--model", trained, "--json")
    assert run.returncode == 0, run.stderr.decode()
    found = json.loads(run.stdout)
    assert found["model"]["dataset_title"] == "clips of the tests"
    assert [Path(row["file"]).suffix for row in found["files"]] == [".wav", ".flac", ".ogg", ".mp3"]
    for row in found["files"]:
        assert row["prediction"] == "Rock"
        assert row["seconds"] == pytest.approx(30, abs=0.2)
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert row["classified_seconds"] == pytest.approx(30, abs=0.2)
        assert row["timeline"][0]["seconds"] == pytest.approx(row["start_seconds"], abs=0.01)
    rock = [row["probabilities"]["Rock"] for row in found["files"]]
    assert max(rock) - min(rock) < 0.1


def test_classify_equals_offline_model(trained: Path, clips: Path) -> None:
    files = sorted(clips.glob("*.mp3"))[::4]
    run = songnet(
        "classify", *files, "--model", trained, "--json", "--jobs", "2", "--excerpt", "all"
    )
    model = load_model(trained)
    for file, row in zip(files, json.loads(run.stdout)["files"], strict=True):
        samples = resample(decode(io.BytesIO(file.read_bytes())), 22_050)
        mel = model.spectrogram.offline(samples).astype(np.float16).astype(np.float32)
        with torch.no_grad():
            expected = model.saved.network(torch.from_numpy(mel)[None]).clip_logits[0, -1].exp()
        np.testing.assert_allclose(list(row["probabilities"].values()), expected, atol=1e-4)


def test_classify_reports_broken_files_and_continues(
    trained: Path, variants: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "noise.mp3").write_bytes(np.random.default_rng(0).bytes(10_000))
    sf.write(tmp_path / "short.wav", np.zeros(2_000), 22_050)
    (tmp_path / "folder.mp3").mkdir()
    (tmp_path / "samples.raw").write_bytes(bytes(100_000))
    (tmp_path / "page.au").write_text("<!doctype html><p>no music</p>" * 100)
    (tmp_path / "dump.sds").write_bytes(bytes.fromhex("F07E000001000010") + b"\x7f" * 500)
    (tmp_path / "caf\udce9.mp3").write_bytes(np.random.default_rng(0).bytes(10_000))  # Latin-1
    sf.write(tmp_path / "fast.wav", np.zeros(20_000), 2_000_000_000)
    reasons = {
        "empty.mp3": "empty file",
        "noise.mp3": "not decodable",
        "caf\udce9.mp3": "not decodable",
        "short.wav": "too short",
        "folder.mp3": "a folder without audio files",
        "samples.raw": "not decodable: no audio in it",
        "page.au": "not decodable: no audio in it",
        "dump.sds": "not decodable: no audio in it",
        "fast.wav": "not music: 1 channels at 2000000000 Hz",
        "no": "no such file",
    }
    bad = [tmp_path / name for name in reasons]
    run = songnet("classify", *bad, variants[0], "--model", trained, "--csv")
    assert run.returncode == 1
    output, errors = (text.decode(errors="surrogateescape") for text in (run.stdout, run.stderr))
    rows = list(csv.DictReader(io.StringIO(output)))
    assert [row["prediction"] for row in rows] == [*[""] * len(bad), "Rock"]
    lines = [line for line in errors.splitlines() if "error" in line]
    assert len(lines) == len(bad)
    for path, reason in zip(bad, reasons.values(), strict=True):
        assert any(line.startswith(f"songnet: error: {path}: {reason}") for line in lines)
    assert "Traceback" not in errors


def test_classify_folders_and_from_file(
    trained: Path, variants: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    for name, variant in (("a/b/1.wav", 0), ("a/2.flac", 1), ("3.ogg", 2)):
        (tmp_path / name).write_bytes(variants[variant].read_bytes())
    (tmp_path / "a/cover.jpg").write_bytes(b"no music")
    arguments = ["--from-file", "-", "--model", str(trained), "--jsonl"]
    run = songnet("classify", "a", *arguments, stdin=b"3.ogg\n\nnone.mp3\n", folder=tmp_path)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert [row["file"] for row in rows] == ["a/2.flac", "a/b/1.wav", "3.ogg", "none.mp3"]
    assert [row.get("prediction") for row in rows] == ["Rock"] * 3 + [None]
    assert run.returncode == 1 and run.stderr == b"songnet: error: none.mp3: no such file\n"
    nothing = songnet("classify", "--model", trained)
    assert nothing.returncode == 1 and b"no input; give a folder or a file" in nothing.stderr


@pytest.mark.parametrize("form", ["--csv", "--jsonl", "--json"])
def test_classify_writes_each_row_at_once(trained: Path, variants: list[Path], form: str) -> None:
    """So that a kill loses no rows."""
    process = subprocess.Popen(
        [sys.executable, "-m", "songnet.cli", "classify", form, "--from-file", "-",
         "--model", str(trained)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    for variant in variants[:2]:  # the list continues while rows arrive
        process.stdin.write(f"{variant}\n".encode())
        process.stdin.flush()
        seen = b""
        while not re.search(re.escape(str(variant).encode()) + b".*Rock", seen):
            seen += os.read(process.stdout.fileno(), 10_000)
            assert process.poll() is None
    process.kill()
    process.communicate()


def test_classify_csv_escapes_formulas(trained: Path, variants: list[Path], tmp_path: Path) -> None:
    (tmp_path / "=1+1.wav").write_bytes(variants[0].read_bytes())
    sf.write(tmp_path / "silent.wav", np.zeros(44_100), 44_100)
    run = songnet(
        "classify", "=1+1.wav", "silent.wav", "--model", trained, "--csv", folder=tmp_path
    )
    song, silent = csv.DictReader(io.StringIO(run.stdout.decode()))
    assert (song["file"], song["prediction"], song["reason"]) == ("./=1+1.wav", "Rock", "")
    assert (silent["prediction"], silent["unsure"], silent["Rock"]) == ("", "True", "")
    assert silent["reason"] == "no music: nothing above -80 dB" and run.returncode == 0


def test_classify_text_reports_silence_and_lost_seconds(
    trained: Path, variants: list[Path], tmp_path: Path
) -> None:
    sf.write(tmp_path / "silent.wav", np.zeros(44_100), 44_100)
    (tmp_path / "half.flac").write_bytes(variants[1].read_bytes()[:300_000])
    run = songnet("classify", "silent.wav", "half.flac", "--model", trained, folder=tmp_path)
    text = run.stdout.decode()
    assert "silent.wav  0:01\n  no music: nothing above -80 dB\n" in text
    assert re.search(r"half\.flac  0:\d\d  \(\d+\.\d s more could not be decoded\)\n  Rock", text)


def test_classify_text_shows_model_prediction_and_timeline(
    trained: Path, variants: list[Path]
) -> None:
    run = songnet("classify", variants[0], "--model", trained)
    text = run.stdout.decode()
    assert text.startswith(
        "causal C-RNN, trained on clips of the tests (artist split). Accuracy 90.0 % on 30 test "
        "tracks (95 % CI over artists: 80.0 % to 100.0 %). The music is synthetic.\n"
    )
    assert "song.wav  0:30" in text and "Rock" in text and "0:00 " in text


def test_help_shows_examples_and_default_network() -> None:
    text = songnet("--help").stdout.decode()
    assert "\n  songnet classify song.mp3\n" in text and "\n  songnet serve\n" in text
    assert "results/*/best.safetensors. `make run` trains one" in text


def test_classify_without_network_suggests_make_run(
    tmp_path: Path, variants: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    run = songnet("classify", variants[0], folder=tmp_path)
    assert run.returncode == 1
    assert b"no network below results/; train one with `make run`" in run.stderr


@pytest.mark.parametrize(("kind", "subtype"), [("s16le", "PCM_16"), ("f32le", "FLOAT")])
def test_listen_equals_classify_for_pipe(
    trained: Path, clips: Path, tmp_path: Path, kind: str, subtype: str
) -> None:
    samples, rate = sf.read(sorted(clips.glob("Folk*.mp3"))[0], dtype="float32")
    raw = samples if kind == "f32le" else (samples * 2**15).clip(-(2**15), 2**15 - 1).astype("<i2")
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    run = songnet(
        "listen", "--rate", str(rate), "--channels", str(channels), "--format", kind,
        "--json", "--model", trained, stdin=raw.tobytes() + b"x",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr.decode()
    steps = [json.loads(line) for line in run.stdout.splitlines()]
    # FLAC with 16 bits like the WAV file: rounding raises the noise floor and changes predictions.
    file = tmp_path / "music.wav"
    sf.write(file, raw, rate, subtype)
    arguments = ("--model", trained, "--json", "--excerpt", "all")
    whole = json.loads(songnet("classify", file, *arguments).stdout)
    assert steps[-1]["overall"] == pytest.approx(whole["files"][0]["probabilities"], abs=1e-4)


def test_listen_prints_steps_before_end_of_pipe(trained: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "songnet.cli", "listen", "--rate", "22050", "--json",
         "--model", str(trained)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    noise = np.random.default_rng(0).integers(-9000, 9000, 22_050 * 2, dtype="<i2")
    process.stdin.write(noise.tobytes())
    process.stdin.flush()
    # Steps arrive while the pipe is still open; 2 s contain four of them.
    for i in range(1, 5):
        step = json.loads(process.stdout.readline())
        assert step["seconds"] == pytest.approx(i * 16 * 512 / 22_050, abs=1e-3)
    process.stdin.close()
    assert process.wait(30) == 0


def test_listen_text_and_errors(trained: Path) -> None:
    noise = np.random.default_rng(0).integers(-9000, 9000, 22_050 * 3, dtype="<i2").tobytes()
    run = songnet("listen", "--rate", "22050", "--model", trained, stdin=noise)
    assert run.returncode == 0, run.stderr.decode()
    assert "0:02" in run.stdout.decode() and "%" in run.stdout.decode()
    absurd = songnet("listen", "--channels", "100000000", "--model", trained, stdin=noise)
    assert (
        absurd.returncode == 1 and b"--channels: expected 8 at most, got 100000000" in absurd.stderr
    )
    file = songnet("listen", "--model", trained, stdin=b"ID3\x04" + noise)
    assert file.returncode == 1 and b"raw samples, but got a file" in file.stderr
    few = songnet("listen", "--rate", "22050", "--model", trained, stdin=noise[:100])
    assert few.returncode == 1 and b"no complete step" in few.stderr


@pytest.mark.parametrize("kind", ["mp3", "m4a", "aac", "wma", "webm", "w64", "caf", "text", "png"])
def test_listen_refuses_files(trained: Path, kind: str) -> None:
    if kind in ("text", "png"):
        content = {"text": b"Dear reader,\n" * 500, "png": b"\x89PNG\r\n" + bytes(9000)}[kind]
    elif shutil.which("ffmpeg"):
        content = ffmpeg(wav(), f".{kind}", *(["-id3v2_version", "0"] if kind == "mp3" else []))
    else:
        pytest.skip("ffmpeg is not installed")
    run = songnet("listen", "--model", trained, stdin=content)
    assert run.returncode == 1 and not run.stdout
    assert b"listen reads raw samples, but got a file" in run.stderr


def test_listen_reports_silence(trained: Path) -> None:
    run = songnet("listen", "--model", trained, "--json", stdin=bytes(2 * 44_100))
    assert all(json.loads(line)["silent"] for line in run.stdout.splitlines()) and run.stdout
    run = songnet("listen", "--model", trained, stdin=bytes(2 * 44_100))
    assert "no music: nothing above -80 dB" in run.stdout.decode()


def test_listen_keeps_last_prediction_after_ctrl_c(trained: Path) -> None:
    """The command only ends with Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "songnet.cli", "listen", "--rate", "22050", "--model", str(trained)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"TTY_COMPATIBLE": "1"},
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    noise = np.random.default_rng(0).integers(-9000, 9000, 22_050 * 3, dtype="<i2")
    process.stdin.write(noise.tobytes())
    process.stdin.flush()
    shown = b""
    while b"0:02" not in shown:
        shown += os.read(process.stdout.fileno(), 10_000)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "%" in rest.decode().splitlines()[-1]


def test_listen_refuses_terminal(trained: Path) -> None:
    leader, follower = os.openpty()
    run = subprocess.run(
        [sys.executable, "-m", "songnet.cli", "listen", "--model", str(trained)],
        stdin=follower, capture_output=True, timeout=60,
    )  # fmt: skip
    os.close(leader)
    os.close(follower)
    assert run.returncode == 1 and b"listen reads samples from a pipe" in run.stderr


def test_export_refuses_folder(trained: Path, tmp_path: Path) -> None:
    for folder in (str(tmp_path), "."):
        run = songnet("export", folder, "--model", trained, folder=tmp_path)
        assert run.returncode == 1
        assert f"songnet: error: {folder}: a folder, not a file" in run.stderr.decode()
        assert "Traceback" not in run.stderr.decode()


def test_export_refuses_missing_folder(trained: Path, tmp_path: Path) -> None:
    target = tmp_path / "no/such/songnet.onnx"
    run = songnet("export", target, "--model", trained)
    assert run.returncode == 1
    assert f"songnet: error: {target}: no such folder; create it first" in run.stderr.decode()
    assert not list(tmp_path.iterdir())


def test_export_writes_a_graph(trained: Path, tmp_path: Path) -> None:
    run = songnet("export", tmp_path / "songnet.onnx", "--model", trained)
    assert run.returncode == 0 and not run.stderr, run.stderr.decode()  # the exporter is silent
    assert (tmp_path / "songnet.onnx").stat().st_size > 10_000
