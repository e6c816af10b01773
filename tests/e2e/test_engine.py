"""The page's engine equals the Python engine, in Chromium and Firefox."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch
from numpy.typing import NDArray
from playwright.sync_api import Browser

from songnet.features.audio import decode, decode_blocks
from songnet.features.log_mel import LogMelSpectrogram
from songnet.features.mel import MelSpectrogram
from songnet.features.spectrogram import Spectrogram, describe
from songnet.models.base import Network, save
from songnet.models.causal_crnn import CausalCRNN
from songnet.models.configs import CausalCRNNConfig, CRNNConfig
from songnet.models.crnn import CRNN
from songnet.realtime.stream import Stream, load_model
from tests.e2e.conftest import Site
from tests.e2e.firefox import Firefox
from tests.pretrained import classifier, saved, tagger
from tests.variants import ffmpeg, mp3, wav

Evaluate = Callable[[str], Any]
FADE = 0.01  # seconds
JOIN = """(parts) => {
    const joined = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => (joined.set(part, at), at + part.length), 0);
    return joined;
}"""
MODULE = "await import(new URL('{}', document.baseURI))"
# Return all samples of a file, mono.
READ = f"""async (file) => {{
    const {{ decode }} = {MODULE.format("audio/decode.js")};
    const parts = [];
    let rate;
    for await (const part of decode(await (await fetch(file)).blob())) {{
        parts.push(part.samples);
        rate = part.rate;
    }}
    return {{ rate, samples: ({JOIN})(parts) }};
}}"""
# Return the steps that the engine computes for a WAV file in chunks of a given size.
CLASSIFY = f"""(async (network, file, size) => {{
    const {{ Model, Stream }} = {MODULE.format("engine/stream.js")};
    const model = new Model(await (await fetch(network)).arrayBuffer());
    const {{ samples, rate }} = await ({READ})(file);
    const stream = new Stream(model, rate);
    const steps = [];
    for (let at = 0; at < samples.length; at += size) {{
        steps.push(...stream.push(samples.subarray(at, at + size)));
    }}
    steps.push(...stream.finish());
    return steps.map(({{ seconds, step, clip, silent }}) =>
        ({{ seconds, step: [...step], clip: [...clip], silent }}));
}})"""
DECODE = f"""(async (file) => {{
    const {{ samples, rate }} = await ({READ})(file);
    return {{ rate, count: samples.length, samples: [...samples.subarray(2 * rate, 3 * rate)] }};
}})"""


@pytest.fixture
def blank(site: Site) -> str:
    """Address of an empty page beside the modules: the whole one takes a second to load."""
    (site.folder / "blank.html").write_text("<!doctype html><title>Empty</title>")
    return f"{site.address}blank.html"


@pytest.fixture(params=["chromium", "firefox"])
def evaluate(request: pytest.FixtureRequest, blank: str) -> Evaluate:
    """Evaluate JavaScript beside the page's modules in a browser."""
    if request.param == "firefox":
        firefox: Firefox = request.getfixturevalue("firefox")
        firefox.goto(blank)
        return firefox.evaluate
    browser: Browser = request.getfixturevalue("browser")
    page = browser.new_page()
    page.goto(blank)
    request.addfinalizer(page.close)
    return page.evaluate


def same_music(clips: Path, rate: int, channels: int, seconds: float = 15) -> bytes:
    """Build a float WAV file of a clip after faint noise, with slightly different channels.

    The noise is too quiet to be amplified. It fades in, because soxr resamples in several stages,
    each starting from silence, while the engine has a single filter: with an abrupt start, the
    first samples would differ.
    """
    import soxr

    clip = decode(io.BytesIO(sorted(clips.glob("Rock*.mp3"))[0].read_bytes()))
    samples = soxr.resample(clip.samples, clip.sample_rate, rate)[: int(seconds * rate)]
    noise = np.random.default_rng(1).normal(0, 1e-5, rate).astype(np.float32)
    samples = np.concatenate([noise, samples])
    fade = int(FADE * rate)
    samples[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    if channels > 1:
        samples = np.stack([samples * (1 - 0.3 * i) for i in range(channels)], axis=1)
    file = io.BytesIO()
    sf.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def compare(
    evaluate: Evaluate, site: Site, network: Path, music: bytes, size: int, atol: float = 1e-4
) -> None:
    """Compare all steps of both engines."""
    (site.folder / "network").write_bytes(network.read_bytes())
    (site.folder / "music").write_bytes(music)
    found = evaluate(f"{CLASSIFY}('network', 'music', {size})")
    samples, rate = sf.read(io.BytesIO(music), dtype="float32")
    stream = Stream(load_model(network), rate)
    expected = stream.push(samples) + stream.finish()
    assert len(found) == len(expected) > 15
    for name, of in (("step", "step_probabilities"), ("clip", "clip_probabilities")):
        ours = np.array([step[name] for step in found])
        theirs: NDArray[np.float32] = np.array([getattr(step, of) for step in expected])
        assert np.ptp(theirs, axis=0).max() > 0.01  # the outputs differ between steps
        np.testing.assert_allclose(ours, theirs, atol=atol)
    np.testing.assert_allclose(
        [step["seconds"] for step in found], [step.seconds for step in expected]
    )
    assert [step["silent"] for step in found] == [step.silent for step in expected]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_engine_equals_python(
    evaluate: Evaluate, site: Site, trained: Path, clips: Path, rate: int, channels: int
) -> None:
    for size in (10**9, 1_000):
        compare(evaluate, site, trained, same_music(clips, rate, channels), size)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_056, 96_000])
def test_engine_equals_python_at_rare_rates(
    evaluate: Evaluate, site: Site, trained: Path, clips: Path, rate: int
) -> None:
    compare(evaluate, site, trained, same_music(clips, rate, 1), 4_096, atol=1e-3)


def untrained(
    path: Path,
    network: type[Network],
    config: Any,
    spectrogram: dict[str, Any] | None,
    title: str = "untrained",
) -> Path:
    """Write a network with large random weights and a non-trivial normalisation."""
    torch.manual_seed(3)
    made = network(config)
    rows = torch.rand(50, 3).numpy() * [5, 2000, 300]
    bands = torch.arange(config.n_bands)[:, None]
    made.set_statistics(-40 + bands / 10, 15 + bands / 20, rows.astype(np.float32))
    with torch.no_grad():
        for name, value in made.state_dict().items():
            if name.endswith("running_mean"):
                value.uniform_(-0.2, 0.2)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 2)
            elif "mean" not in name and "std" not in name and value.is_floating_point():
                value.mul_(1.7)
    facts = {"model": "x", "title": title, "dataset": "tests", "protocol": "artist"}
    names = [f"genre {i}" for i in range(config.n_genres)]
    save(made, names, facts | {"spectrogram": spectrogram}, path)
    return path


MEL = MelSpectrogram()
PLAIN = CausalCRNNConfig(MEL.bands, 8, MEL.frames_per_second)
LOG_MEL = LogMelSpectrogram()
# The hop length does not divide the window.
FINE = MelSpectrogram(n_mels=40, n_fft=512, hop_length=441)
NETWORKS: dict[str, tuple[CausalCRNNConfig, Spectrogram]] = {
    "with metadata": (replace(PLAIN, metadata=True), MEL),
    "no peak normalisation": (replace(PLAIN, peak_normalise=False), MEL),
    "wide": (replace(PLAIN, channels=[48, 96, 192], features=192, hidden=256), MEL),
    "steps of one second": (replace(PLAIN, step_seconds=1), MEL),
    "steps of two frames": (replace(PLAIN, step_seconds=0.04), MEL),
    "log-mel": (CausalCRNNConfig(LOG_MEL.bands, 3, LOG_MEL.frames_per_second), LOG_MEL),
    "odd sizes": (CausalCRNNConfig(40, 3, FINE.frames_per_second, [5, 6, 7], 0.2, 9, 11), FINE),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_engine_runs_every_causal_network(
    evaluate: Evaluate, site: Site, clips: Path, tmp_path: Path, kind: str
) -> None:
    config, spectrogram = NETWORKS[kind]
    network = untrained(tmp_path / "m.safetensors", CausalCRNN, config, describe(spectrogram))
    compare(evaluate, site, network, same_music(clips, 44_100, 1), 10**9, atol=1e-3)


@pytest.mark.parametrize("kind", ["tags", "svm", "logistic_regression", "mlp"])
def test_engine_runs_networks_on_musicnn(
    evaluate: Evaluate, site: Site, clips: Path, tmp_path: Path, kind: str
) -> None:
    network = tagger() if kind == "tags" else classifier(kind)
    genres = ["A", "B", "C"][: network.config.n_genres]
    path = saved(tmp_path / "m.safetensors", network, genres, dataset="tests", protocol="artist")
    for size in (10**9, 1_000):
        compare(evaluate, site, path, same_music(clips, 22_050, 1), size)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 0.9])  # after one of noise
def test_engine_runs_musicnn_on_less_than_its_lookahead(
    evaluate: Evaluate, site: Site, clips: Path, tmp_path: Path, seconds: float
) -> None:
    path = saved(tmp_path / "m.safetensors", tagger(), ["A", "B"])
    music = same_music(clips, 16_000, 1, seconds)
    (site.folder / "network").write_bytes(path.read_bytes())
    (site.folder / "music").write_bytes(music)
    found = evaluate(f"{CLASSIFY}('network', 'music', 4000)")
    stream = Stream(load_model(path), 16_000)
    expected = stream.push(sf.read(io.BytesIO(music), dtype="float32")[0]) + stream.finish()
    assert len(found) == len(expected) > 0
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours["clip"], theirs.clip_probabilities, atol=1e-4)


def test_engine_refuses_unsupported_networks(
    browser: Browser, site: Site, blank: str, tmp_path: Path
) -> None:
    odd = replace(MEL, n_fft=1000, hop_length=500)
    cases = {
        "networks of the kind crnn; it runs causal_crnn, ": untrained(
            tmp_path / "crnn", CRNN, CRNNConfig(128, 3, 43.0), describe(MEL)
        ),
        "an n_fft that is a power of two, not 1000": untrained(
            tmp_path / "odd", CausalCRNN, replace(PLAIN, frames_per_second=44.1), describe(odd)
        ),
        "trained on precomputed spectrograms or features, not on audio": untrained(
            tmp_path / "mels", CausalCRNN, PLAIN, None
        ),
        "spectrograms of the kind cqt": untrained(
            tmp_path / "cqt", CausalCRNN, PLAIN, {"kind": "cqt"}
        ),
    }
    onnx = classifier()
    onnx.config.encoder["kind"] = "onnx"
    path = saved(tmp_path / "onnx", onnx, ["A", "B", "C"], dataset="tests", protocol="artist")
    cases["cannot run encoders of the kind onnx"] = path
    (tmp_path / "text").write_text("not weights at all")
    cases["This is not a network saved by SongNet."] = tmp_path / "text"
    (tmp_path / "half").write_bytes(cases["spectrograms of the kind cqt"].read_bytes()[:200_000])
    cases["The model file is truncated."] = tmp_path / "half"
    page = browser.new_page()
    page.goto(blank)
    for sentence, path in cases.items():
        (site.folder / path.name).write_bytes(path.read_bytes())
        told = page.evaluate(
            f"""async () => {{
                const {{ Model }} = {MODULE.format("engine/stream.js")};
                const file = await (await fetch("{path.name}")).arrayBuffer();
                try {{ new Model(file); }} catch (error) {{ return error.message; }}
            }}"""
        )
        assert sentence in told
    page.close()


FILES: dict[str, Callable[[], bytes]] = {
    "mp3": mp3,
    "vbr.mp3": lambda: mp3("vbr"),
    "no-xing.mp3": lambda: mp3(xing=False),
    "mono.mp3": lambda: mp3(rate=22_050, channels=1),
    "tagged.mp3": lambda: b"ID3\3\0\0\0\0\x0f\x50" + bytes(2000) + mp3() + b"TAG" + bytes(125),
    "m4a": lambda: ffmpeg(wav(), ".m4a", "-c:a", "aac"),
    "fast.m4a": lambda: ffmpeg(wav(), ".m4a", "-c:a", "aac", "-movflags", "+faststart"),
    "opus": lambda: ffmpeg(wav(), ".opus", "-c:a", "libopus"),
    "ogg": lambda: ffmpeg(wav(), ".ogg", "-c:a", "libvorbis"),
    "flac": lambda: ffmpeg(wav(), ".flac"),
    "wav": wav,
    "24.wav": lambda: ffmpeg(wav(), ".wav", "-c:a", "pcm_s24le"),
    "8.wav": lambda: ffmpeg(wav(), ".wav", "-c:a", "pcm_u8"),
    "pipe.wav": lambda: wav()[:40] + b"\xff\xff\xff\xff" + wav()[44:],
}


@pytest.mark.parametrize("kind", FILES)
def test_decoder_equals_python_by_format(evaluate: Evaluate, site: Site, kind: str) -> None:
    content = FILES[kind]()
    (site.folder / "music").write_bytes(content)
    found = evaluate(f"{DECODE}('music')")
    parts = list(decode_blocks(io.BytesIO(content)))
    samples = np.concatenate([part.samples for part in parts])
    rate = parts[0].sample_rate
    assert found["rate"] == rate
    # The padding that an encoder appended may be included.
    assert len(samples) <= found["count"] < len(samples) + 2_000
    np.testing.assert_allclose(found["samples"], samples[2 * rate : 3 * rate], atol=1e-3)


@pytest.mark.parametrize("kind", ["webm", "aac", "fragments", "rates", "noise"])
def test_decoder_leaves_other_formats_to_browser(
    browser: Browser, site: Site, blank: str, kind: str
) -> None:
    content = {
        "webm": lambda: ffmpeg(wav(), ".webm", "-c:a", "libopus"),
        "aac": lambda: ffmpeg(wav(), ".aac", "-c:a", "aac"),
        "fragments": lambda: ffmpeg(
            wav(), ".m4a", "-movflags", "frag_keyframe+empty_moov+default_base_moof"
        ),
        "rates": lambda: mp3(seconds=3) + mp3(rate=48_000),
        "noise": lambda: np.random.default_rng(1).bytes(50_000),
    }[kind]()
    (site.folder / "music").write_bytes(content)
    page = browser.new_page()
    page.goto(blank)
    problem = page.evaluate(f"{DECODE}('music').then(() => '', (error) => error.message)")
    page.close()
    reason = "its sample rate changes" if kind == "rates" else "an unknown format"
    assert problem.startswith(reason), json.dumps(problem)
