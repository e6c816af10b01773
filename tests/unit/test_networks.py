"""Networks: outputs are probabilities, causal ones never look ahead, saving is lossless."""

import json
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from songnet.errors import SongNetError
from songnet.features.metadata import FIELDS
from songnet.models.base import Network, _checksum, load, make_network, save
from songnet.models.causal_crnn import FALL, QUIETEST, RANGE, CausalCRNN
from songnet.models.configs import NetworkConfig
from songnet.models.crnn import CRNN

SMALL = {"crnn": {"channels": [8, 8, 8], "kernel": 3, "hidden": 8}} | {
    "causal_crnn": {"channels": [4, 6, 8], "features": 8, "hidden": 8}
}


def network(path: str, n_mels: int = 64, rate: float = 43.07, **parameters: Any) -> Network:
    torch.manual_seed(0)
    data = NetworkConfig(n_mels, 3, rate)
    return make_network(path, data, SMALL[path] | parameters).eval()


@pytest.mark.parametrize("path", SMALL)
@pytest.mark.parametrize(("rate", "n_mels"), [(43.07, 128), (21.5, 64), (4.27, 96)])
def test_network_outputs_are_log_probabilities(path: str, rate: float, n_mels: int) -> None:
    model = network(path, n_mels, rate)
    steps = 7
    mel = torch.randn(2, n_mels, steps * model.frames_per_step + model.frames_per_step - 1)
    for logs in model(mel)[:2]:
        assert logs.shape == (2, steps, 3)
        torch.testing.assert_close(logs.exp().sum(-1), torch.ones(2, steps))


def test_crnn_averages_its_steps() -> None:
    step_logits, clip_logits, _ = network("crnn")(torch.randn(2, 64, 80))
    torch.testing.assert_close(clip_logits[:, 4].exp(), step_logits[:, :5].exp().mean(dim=1))


@pytest.mark.parametrize("rate", [43.07, 4.27])
def test_causal_crnn_never_looks_ahead(rate: float) -> None:
    """Later frames do not change earlier steps, and an excerpt gives the same steps."""
    model = network("causal_crnn", rate=rate)
    frames = model.frames_per_step
    mel = -40 + 10 * torch.randn(1, 64, 20 * frames)
    whole = model(mel)
    for steps in (1, 7, 19):
        changed = mel.clone()
        changed[:, :, steps * frames :] += 30
        for a, b, c in zip(whole, model(changed), model(mel[:, :, : steps * frames]), strict=True):
            torch.testing.assert_close(a[:, :steps], b[:, :steps], atol=1e-5, rtol=0)
            torch.testing.assert_close(a[:, :steps], c, atol=1e-5, rtol=0)


def test_causal_crnn_ignores_level() -> None:
    model = network("causal_crnn")
    mel = 10 * torch.randn(2, 64, 20 * model.frames_per_step)
    loud, quiet = model(mel), model(mel - 30)
    for a, b in zip(loud, quiet, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


def test_causal_crnn_normalises_by_running_peak() -> None:
    model = network("causal_crnn", rate=10.0)
    music = 40 * torch.randn(1, 64, 50)
    music[0, 5, -1] = 200
    music[0, :, 9] = -90
    expected = np.empty((64, 50))
    peak = QUIETEST
    for t, frame in enumerate(music[0].double().numpy().T):
        peak = max(frame.max(), peak - FALL / 10, QUIETEST)
        expected[:, t] = np.maximum(frame - peak, -RANGE)
    levels = model.normalise(music)[0].numpy()
    np.testing.assert_allclose(levels, expected, atol=1e-3)
    # If the last frame is the loudest, it equals librosa's normalisation.
    last = librosa.power_to_db(10 ** (music[0].double().numpy() / 10), ref=np.max, top_db=RANGE)
    np.testing.assert_allclose(levels[:, -1], last[:, -1], atol=1e-3)
    absolute = network("causal_crnn", peak_normalise=False)
    torch.testing.assert_close(absolute.normalise(music), music)
    # Hiss is not amplified, and a bang is forgotten.
    hiss = torch.full((1, 64, 20), -70.0)
    torch.testing.assert_close(model.normalise(hiss), hiss - QUIETEST)
    banged = torch.zeros(1, 64, 400)
    banged[:, :, 0] = 25
    torch.testing.assert_close(
        model.normalise(banged)[0, 0, [1, 100, 399]], torch.tensor([-24.9, -15.0, 0.0])
    )


@pytest.mark.parametrize(("rate", "seconds"), [(43.07, 0.3715), (21.53, 0.3715), (4.27, 0.4684)])
def test_causal_crnn_step_length_by_frame_rate(rate: float, seconds: float) -> None:
    model = network("causal_crnn", rate=rate)
    assert model.frames_per_step / rate == pytest.approx(seconds, abs=1e-3)


def test_causal_crnn_metadata_change_clip_logits_only() -> None:
    model = network("causal_crnn", metadata=True)
    rng = np.random.default_rng(0)
    table = rng.normal(5, 2, (40, len(FIELDS))).astype(np.float32)
    table[::3, 1] = np.nan
    table[:, 2] = np.nan  # never known in training
    model.set_statistics(torch.zeros(64, 1), torch.ones(64, 1), table)
    mel = torch.randn(40, 64, 64)
    with_them, without = model(mel, torch.from_numpy(table)), model(mel)
    assert torch.equal(with_them.step_logits, without.step_logits)
    assert not torch.allclose(with_them.clip_logits, without.clip_logits)
    unknown = torch.full((40, len(FIELDS)), torch.nan)
    assert torch.equal(model(mel, unknown).clip_logits, without.clip_logits)
    assert with_them.clip_logits.isfinite().all()


@pytest.mark.parametrize("path", SMALL)
def test_save_and_load_network(path: str, tmp_path: Path) -> None:
    model = network(path)
    model.set_statistics(
        torch.full((64, 1), -30.0), torch.full((64, 1), 9.0), np.zeros((2, 3), np.float32)
    )
    save(model, ["a", "b", "c"], {"seed": 1}, tmp_path / "model.safetensors")
    loaded, genres, facts = load(tmp_path / "model.safetensors")
    assert isinstance(loaded, CRNN if path == "crnn" else CausalCRNN)
    assert genres == ["a", "b", "c"] and facts == {"seed": 1}
    mel = torch.randn(2, 64, 64)
    assert torch.equal(loaded(mel).clip_logits, model(mel).clip_logits)


@pytest.mark.parametrize("setting", ["peak_normalise", "dropout"])
def test_load_refuses_other_version(tmp_path: Path, setting: str) -> None:
    """A missing setting could change the input: weights depend on peak_normalise.

    Earlier versions also had a dropout.
    """
    path = tmp_path / "old.safetensors"
    save(network("causal_crnn"), ["a", "b", "c"], {}, path)
    metadata, tensors = read_bundle(path)
    if metadata["config"].pop(setting, None) is None:
        metadata["config"][setting] = 0.1
    write_bundle(path, metadata, tensors)
    with pytest.raises(SongNetError, match=rf"old\.safetensors: .* different settings: {setting}$"):
        load(path)


def read_bundle(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read the metadata of a weight file without the checksum, and its tensors."""
    with safe_open(path, "pt") as file:
        metadata = {name: json.loads(value) for name, value in file.metadata().items()}
    del metadata["checksum"]
    return metadata, load_file(path)


def write_bundle(path: Path, metadata: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Write a weight file as `save` does, with any metadata."""
    metadata = metadata | {"checksum": _checksum(metadata, tensors)}
    save_file(tensors, path, {name: json.dumps(value) for name, value in metadata.items()})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 2}, "its version is 2, this SongNet reads 1"),
        ({"genres": ["a", "b"]}, "2 genres for 3 outputs, or repeated genres"),
        ({"genres": ["a", "b", "b"]}, "3 genres for 3 outputs, or repeated genres"),
        (
            {"network": "os.system"},
            "'os.system' is not a SongNet network (known: crnn, causal_crnn, "
            "encoder_classifier, musicnn_tagger)",
        ),
        ({"facts": None}, "facts are not a table"),
        ({"genres": {"a": 1, "b": 2, "c": 3}}, "genres are not a list of names"),
        ("config", "lacks 'config'"),
        ("nan", "its weights are not finite"),
        ("bit", "damaged, its checksum is wrong"),
        ("type", "damaged, its checksum is wrong"),
    ],
)
def test_load_refuses_changed_files(tmp_path: Path, change: Any, reason: str) -> None:
    path = tmp_path / "model.safetensors"
    save(network("crnn"), ["a", "b", "c"], {}, path)
    written, tensors = read_bundle(path)
    if isinstance(change, dict):
        written |= change
    written.pop(change if change == "config" else "", None)
    if change == "nan":
        tensors["mean"][0] = torch.nan
    if change == "bit":
        content = bytearray(path.read_bytes())
        content[-1000] ^= 1
        path.write_bytes(content)
    elif change == "type":
        path.write_bytes(path.read_bytes().replace(b'"F32"', b'"I32"'))
    else:
        write_bundle(path, written, tensors)
    with pytest.raises(SongNetError) as error:
        load(path)
    assert str(error.value) == f"{path}: not a network saved by SongNet: {reason}"


def test_load_and_make_network_report_errors(tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x80\x04." * 50)
    with pytest.raises(SongNetError, match=r"broken\.safetensors: not a network saved by SongNet"):
        load(broken)
    data = NetworkConfig(64, 3, 43.0)
    with pytest.raises(SongNetError, match=r"parameters of crnn: .*width"):
        make_network("crnn", data, {"width": 3})


@pytest.mark.parametrize("rate", [43.07, 21.5, 4.27])
def test_causal_crnn_stream_equals_forward(rate: float) -> None:
    model = network("causal_crnn", 64, rate)
    assert model.is_causal() and not network("crnn", 64, rate).is_causal()
    mel = torch.randn(2, 64, 12 * model.frames_per_step)
    whole = model(mel)
    state, pieces = model.initial_state(2), []
    for steps in (1, 1, 3, 5, 2):
        predictions, state = model.stream(mel[..., : steps * model.frames_per_step], state)
        mel = mel[..., steps * model.frames_per_step :]
        pieces.append(predictions)
    for at_once, piecewise in zip(whole, zip(*pieces, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(piecewise, dim=1), at_once, rtol=0, atol=2e-6)


@pytest.mark.parametrize("rate", [2.0, 4.27, 8.0, 12.9, 21.5, 43.07, 62.5, 86.1])
def test_causal_crnn_cost_by_frame_rate(rate: float) -> None:
    """The first block dominates the cost, so it leaves at most eleven columns per second."""
    model: Any = network("causal_crnn", rate=rate)
    seconds = model.frames_per_step / rate
    assert 0.24 < seconds < 0.6
    frames = 20 * model.frames_per_step
    columns: list[int] = []
    model.convolutions[0].register_forward_hook(lambda *given: columns.append(given[2].shape[-1]))
    assert model(torch.zeros(1, 64, frames)).clip_logits.shape[1] == 20
    assert columns[0] / (frames / rate) <= 11
