"""The model card next to a weight file."""

import json
from pathlib import Path
from typing import Any

import pytest

from songnet.features.mel import MelSpectrogram
from songnet.features.spectrogram import describe
from songnet.models.base import load, save
from songnet.models.causal_crnn import CausalCRNN
from songnet.models.configs import CausalCRNNConfig
from songnet.realtime.served import keep_best
from songnet.report.card import write_card

GENRES = ["Pop", "Rock"]
DATASET = {"title": "local archives", "note": "A note on the data.", "source": "archives"}


def run(root: Path, seed: int, validation: float, test: dict[str, float] | None) -> Path:
    """A finished run with one small network and metrics with the given accuracies."""
    folder = root / f"runs/artist/causal_crnn/{seed}"
    folder.mkdir(parents=True)
    facts = {
        "model": "causal_crnn", "dataset": "local", "protocol": "artist", "split_seed": 1,
        "seed": seed, "spectrogram": describe(MelSpectrogram(n_mels=64)), "commit": "1a2b3c",
        "archives": {"fma_small.zip": "0a1b"}, "data": {"clips": {"clip_seconds": 30.0}},
    }  # fmt: skip
    network = CausalCRNN(CausalCRNNConfig(64, 2, 43.0, [4, 4, 4]))
    save(network, GENRES, facts, folder / "model.safetensors")
    subset = {"ci_low": 0.25, "ci_high": 0.875, "confidence": 0.9, "tracks": 31}
    metrics: dict[str, Any] = {"validation": subset | {"accuracy": validation, "genres": scores()}}
    if test:
        metrics["test"] = subset | {"accuracy": test["accuracy"], "genres": scores(test["recall"])}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def scores(recall: float = 0.5) -> dict[str, dict[str, float]]:
    rock = {"recall": recall, "precision": 0.625, "f1": 0.5, "tracks": 12}
    return {"Pop": {"recall": 0.75, "precision": 0.5, "f1": 0.6, "tracks": 19}, "Rock": rock}


def card_of(tmp_path: Path, *runs: Path) -> str:
    best = tmp_path / "best.safetensors"
    models = [str(folder / "model.safetensors") for folder in runs]
    kept = keep_best(models, str(best), {"causal_crnn": "causal C-RNN"}, DATASET)
    write_card(best, kept, tmp_path / "best.md")
    return (tmp_path / "best.md").read_text()


def test_keep_best_takes_the_run_that_validates_best(tmp_path: Path) -> None:
    worse = run(tmp_path, 1, 0.5, {"accuracy": 0.9, "recall": 0.5})
    better = run(tmp_path, 2, 0.625, {"accuracy": 0.5, "recall": 0.5})
    card_of(tmp_path, worse, better)
    facts = load(tmp_path / "best.safetensors").facts
    assert facts["seed"] == 2 and facts["measured"]["accuracy"] == 0.5


def test_card_has_data_protocol_accuracy_genres_limits_and_licence(tmp_path: Path) -> None:
    card = card_of(tmp_path, run(tmp_path, 1, 0.5, {"accuracy": 0.6875, "recall": 0.4375}))
    assert card.startswith("# causal C-RNN: music genres on local archives\n")
    assert "| protocol | `artist`, split seed 1: No artist is in two subsets" in card
    assert "| `fma_small.zip` | SHA-1 `0a1b` |" in card and "A note on the data." in card
    assert "68.8 % on 31 test tracks" in card and "25.0 % to 87.5 %; chance 50.0 %" in card
    assert "| Rock | 43.8 % | 62.5 % | 12 |" in card
    assert "clips of 30 s" in card and "MIT licence" in card and "seed 1, commit `1a2b3c`." in card
    assert "share artists" not in card and "optimistic" not in card


def test_card_without_test_set_is_marked_optimistic(tmp_path: Path) -> None:
    card = card_of(tmp_path, run(tmp_path, 1, 0.6875, None))
    assert "68.8 % on 31 validation tracks" in card and "the figure is optimistic" in card


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protocol": "random"}, "may share artists"),
        ({"spectrogram": None}, "cannot classify audio"),
        ({"commit": ""}, "Training seed 1.\n"),
        ({"pretrained": "50 tags of Last.fm"}, "pretrained by others: 50 tags of Last.fm."),
    ],
)
def test_card_lists_limits_of_network(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    folder = run(tmp_path, 1, 0.5, {"accuracy": 0.5, "recall": 0.5})
    assert said not in card_of(tmp_path, folder)
    network, genres, facts = load(folder / "model.safetensors")
    save(network, genres, facts | change, folder / "model.safetensors")
    assert said in card_of(tmp_path, folder)
