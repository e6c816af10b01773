"""The choice of a network, and its description."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from songnet.errors import SongNetError
from songnet.features.mel import MelSpectrogram
from songnet.features.spectrogram import describe
from songnet.models.base import save
from songnet.models.causal_crnn import CausalCRNN
from songnet.models.configs import CausalCRNNConfig, CRNNConfig
from songnet.models.crnn import CRNN
from songnet.realtime import outputs
from songnet.realtime.classify import (
    NO_MUSIC,
    about,
    as_row,
    classify_file,
    description,
    find_model,
    smoothed,
    timeline,
)
from songnet.realtime.stream import load_model

FACTS = {
    "model": "causal_crnn", "title": "causal C-RNN", "dataset": "local", "protocol": "artist",
    "dataset_title": "local archives", "spectrogram": describe(MelSpectrogram(n_mels=64)),
}  # fmt: skip


def causal(path: Path, metadata: bool = False, **facts: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    network = CausalCRNN(CausalCRNNConfig(64, 2, 43.0, [4, 4, 4], metadata=metadata))
    save(network, ["Pop", "Rock"], FACTS | facts, path)
    return path


def looking_ahead(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save(CRNN(CRNNConfig(64, 2, 43.0, [4, 4, 4])), ["Pop", "Rock"], FACTS | {"model": "crnn"}, path)
    return path


def test_find_model_warns_about_skipped_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    new = looking_ahead(Path("results/fma_small/best.safetensors"))
    old = causal(Path("results/local/best.safetensors"))
    os.utime(old, (1_000_000_000, 1_000_000_000))
    assert find_model(None).path == old
    assert capsys.readouterr().err == (
        f"songnet: warning: {new}: crnn is not causal; it cannot stream; using {old} instead\n"
    )
    old.unlink()
    with pytest.raises(SongNetError, match=f"{new}: crnn is not causal"):
        find_model(None)
    causal(new)
    assert find_model(None).path == new
    assert not capsys.readouterr().err


def test_classify_file_raises_own_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def resample(clip: Any, rate: int) -> Any:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    sf.write(tmp_path / "noise.wav", np.random.default_rng(0).normal(0, 0.1, 22_050), 22_050)
    model = load_model(causal(tmp_path / "m.safetensors"))
    assert not classify_file(model, str(tmp_path / "noise.wav")).error
    (tmp_path / "text.wav").write_text("no sound")
    assert classify_file(model, str(tmp_path / "text.wav")).error.startswith("not decodable: ")
    # libsndfile would report a missing file.
    (tmp_path / "text.mp3").write_text("no sound")
    found = classify_file(model, str(tmp_path / "text.mp3"))
    assert found.error == "not decodable: no audio in it"
    monkeypatch.setattr(outputs, "resample", resample)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        classify_file(model, str(tmp_path / "noise.wav"))


@pytest.mark.parametrize("kind", ["silence", "channels that cancel", "denormal"])
def test_classify_gives_silence_no_genre(tmp_path: Path, kind: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 44_100)
    samples = {
        "silence": np.zeros(44_100),
        "channels that cancel": np.column_stack([noise, -noise]),
        "denormal": noise * 1e-38,
    }[kind]
    sf.write(tmp_path / "a.wav", samples.astype(np.float32), 22_050, subtype="FLOAT")
    model = load_model(causal(tmp_path / "m.safetensors"))
    row = as_row(classify_file(model, str(tmp_path / "a.wav")))
    assert (row["prediction"], row["unsure"], row["reason"]) == (None, True, NO_MUSIC)
    assert row["probabilities"] is None and row["timeline"] == [] and "error" not in row


def test_description_states_subset_of_accuracy(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    measured = {"subset": "test", "accuracy": 0.9, "ci_low": 0.8, "ci_high": 1.0, "tracks": 30}
    trained = "causal C-RNN, trained on local archives (artist split)."
    assert description(load_model(causal(path))) == trained
    of_test = (
        f"{trained} Accuracy 90.0 % on 30 test tracks (95 % CI over artists: 80.0 % to 100.0 %)."
    )
    assert description(load_model(causal(path, measured=measured))) == of_test
    # Without a test subset, results are those of the validation subset.
    model = load_model(causal(path, measured=measured | {"subset": "validation"}, note="A sample."))
    assert description(model) == (
        of_test.replace("test", "validation")
        + " The network was selected on these tracks, so this estimate is optimistic. A sample."
    )
    model = load_model(causal(path, metadata=True, measured=measured))
    assert description(model).endswith(
        "The evaluation also used metadata, which is not available for files."
    )
    assert about(model)["reads_metadata"] is True


def test_timeline_has_turns_between_genres() -> None:
    """Ten steps of one genre, ten of another, and a step of a third, which is smoothed away."""
    model: Any = SimpleNamespace(genres=["Folk", "Pop", "Rock"], step_seconds=1.0)
    now = np.repeat(np.eye(3, dtype=np.float32)[[0, 2]], 10, axis=0)
    now[4] = [0, 1, 0]
    assert timeline(now, model) == [(0.0, "Folk"), (10.0, "Rock")]
    # No segment is shorter than a second, so labels cannot overlap.
    model.step_seconds = 0.4
    genres = [1, 0] + [2] * 30 + [0] * 2 + [2] * 3 + [0] * 20
    short = np.eye(3, dtype=np.float32)[genres]
    turns = timeline(short, model)
    assert turns[0] == (0.0, "Rock") and [genre for _, genre in turns] == ["Rock", "Folk"]
    assert timeline(short[:1], model) == [(0.0, "Pop")]
    table = np.array([[0.0], [3.0], [6.0], [0.0], [9.0]], np.float32)
    assert smoothed(table, 3).ravel().tolist() == [1.5, 3.0, 3.0, 5.0, 4.5]
