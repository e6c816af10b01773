"""`songnet export`: the graph's outputs from samples equal those of the stream."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile as sf
import torch
from numpy.typing import NDArray

from songnet.errors import SongNetError
from songnet.features.log_mel import LogMelSpectrogram
from songnet.features.mel import MelSpectrogram
from songnet.features.spectrogram import describe
from songnet.models.base import save
from songnet.models.causal_crnn import CausalCRNN
from songnet.models.configs import CausalCRNNConfig
from songnet.realtime.export import export_onnx
from songnet.realtime.stream import Model, Step, Stream, load_model
from tests.conftest import ROOT
from tests.pretrained import saved, tagger

MEL, LOG_MEL = MelSpectrogram(), LogMelSpectrogram()
FINE = MelSpectrogram(n_mels=40, n_fft=512, hop_length=441)
PLAIN = CausalCRNNConfig(MEL.bands, 3, MEL.frames_per_second)
NETWORKS: dict[str, tuple[CausalCRNNConfig, MelSpectrogram]] = {
    "mel": (PLAIN, MEL),
    "log_mel": (CausalCRNNConfig(LOG_MEL.bands, 3, LOG_MEL.frames_per_second), LOG_MEL),
    "no peak normalisation": (replace(PLAIN, peak_normalise=False), MEL),
    "with metadata": (replace(PLAIN, metadata=True), MEL),
    "hops longer than half a window": (
        CausalCRNNConfig(40, 3, FINE.frames_per_second, [5, 6, 7], 0.2, 9, 11),
        FINE,
    ),
}


def network(path: Path, config: CausalCRNNConfig, spectrogram: MelSpectrogram) -> Model:
    """An untrained network with large random weights."""
    torch.manual_seed(2)
    made = CausalCRNN(config)
    bands = config.n_bands
    made.set_statistics(
        torch.full((bands, 1), -40.0), torch.full((bands, 1), 15.0), np.zeros((1, 3), np.float32)
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2.0)
    facts = {"model": "x", "dataset": "tests", "protocol": "artist"}
    save(made, ["a", "b", "c"], facts | {"spectrogram": describe(spectrogram)}, path)
    return load_model(path)


def music(rate: int, seconds: float = 12.0) -> NDArray[np.float32]:
    """A tone with changing pitch and level, and a little noise."""
    time = np.arange(int(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * (200 + 300 * np.sin(time)) * time) * (np.sin(3 * time) > 0)
    noise = 0.01 * np.random.default_rng(3).standard_normal(len(time))
    return (0.3 * tone + noise).astype(np.float32)


def stream(model: Model, samples: NDArray[np.float32]) -> list[Step]:
    found = Stream(model, model.spectrogram.sample_rate)
    return found.push(samples) + found.finish()


@pytest.mark.parametrize("kind", NETWORKS)
def test_export_onnx_equals_stream(tmp_path: Path, kind: str) -> None:
    model = network(tmp_path / "m.safetensors", *NETWORKS[kind])
    export_onnx(model, tmp_path / "songnet.onnx")
    samples = music(model.spectrogram.sample_rate)
    expected = stream(model, samples)
    session = onnxruntime.InferenceSession(str(tmp_path / "songnet.onnx"))
    facts = {k: json.loads(v) for k, v in session.get_modelmeta().custom_metadata_map.items()}
    assert facts["genres"] == model.genres
    assert facts["spectrogram"] == describe(model.spectrogram)
    padded = np.pad(samples, facts["padding"])[None]
    state = {i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()[1:]}
    state["state_0"] = padded[:, : facts["overlap"]]
    size, found = facts["step_samples"], []
    for start in range(facts["overlap"], padded.shape[1] - size + 1, size):
        piece = padded[:, start : start + size]
        now, overall, *after = session.run(None, {"samples": piece, **state})
        state = dict(zip(state, after, strict=True))
        found.append((now[0], overall[0]))
    assert len(found) == len(expected) > 20
    assert np.ptp([overall for _, overall in found], axis=0).max() > 0.01
    np.testing.assert_allclose(
        found, [(step.step_probabilities, step.clip_probabilities) for step in expected], atol=1e-3
    )


def test_deploy_page_onnx_snippet_runs(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = load_model(trained)
    export_onnx(model, tmp_path / "songnet.onnx")
    samples = music(model.spectrogram.sample_rate)
    sf.write(tmp_path / "song.wav", samples, model.spectrogram.sample_rate, subtype="FLOAT")
    text = (ROOT / "docs/how-to/deploy.md").read_text()
    (code,) = (one for one in re.findall(r"```python\n(.*?)```", text, re.S) if "onnx" in one)
    assert "torch" not in code and len(code.strip().splitlines()) <= 14
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "deploy.md", "exec"), {})
    values = [float(number) for number in re.findall(r"\d\.\d+(?:e-\d+)?", capsys.readouterr().out)]
    np.testing.assert_allclose(values, stream(model, samples)[-1].clip_probabilities, atol=1e-3)


def test_export_refuses_encoders(tmp_path: Path) -> None:
    model = load_model(saved(tmp_path / "m.safetensors", tagger(), ["Jazz", "Rock"]))
    with pytest.raises(SongNetError, match="networks on encoders cannot be exported as a stream"):
        export_onnx(model, tmp_path / "m.onnx")
