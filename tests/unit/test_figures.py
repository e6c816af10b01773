"""Pictures show all that is on them."""

from typing import Any

import pandas as pd
import pytest

from songnet.evaluation.runs import RunName
from songnet.report import figures

MODELS = {"svm": {"title": "SVM"}, "crnn": {"title": "C-RNN"}}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Figures instead of their files."""
    kept: list[Any] = []
    monkeypatch.setattr(figures, "_finish", lambda figure, *_: kept.append(figure))
    return kept


@pytest.mark.parametrize("longest", ["Folk", "Old-Time / Historic", "Music of " + "long " * 30])
def test_names_of_genres_have_room(drawn: list[Any], longest: str) -> None:
    rows = [("test", a, b, 5) for a in (longest, "Rock") for b in (longest, "Rock")]
    counts = pd.DataFrame(rows, columns=["part", "genre", "predicted", "verdicts"])
    figures.confusion_figure(counts, "SVM", "svm.png")
    (figure,) = drawn
    figure.canvas.draw()
    axes = figure.axes[0]
    for text in (axes.yaxis.label, axes.xaxis.label, *axes.get_yticklabels()):
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0


def test_dots_mark_the_epoch_that_was_kept(drawn: list[Any]) -> None:
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "kept": [1, 2, 2], "train_loss": [2.0, 1.0, 0.5],
         "validation_loss": [1.9, 1.2, 1.1], "validation_accuracy": [0.2, 0.6, 0.5]}
    )  # fmt: skip
    figures.training_figure({RunName("artist", "crnn", "1"): history}, MODELS, "training.png")
    for axes, height in zip(drawn[0].axes, (1.2, 60.0), strict=True):
        (dot,) = [line for line in axes.lines if line.get_marker() == "o"]
        assert (*dot.get_xdata(), *dot.get_ydata()) == (2, height)


def test_without_a_test_part_the_validation_part_is_shown(drawn: list[Any]) -> None:
    results = pd.DataFrame(
        {"protocol": "official", "model": ["svm", "crnn"], "accuracy": None, "ci_low": None,
         "ci_high": None, "validation_accuracy": [0.471, 0.47], "poster_accuracy": None}
    )  # fmt: skip
    results = results.astype({"accuracy": float, "ci_low": float, "ci_high": float})
    figures.accuracy_figure(results, MODELS, {"title": "x", "note": ""}, "accuracy.png")
    axes = drawn[0].axes[0]
    points = axes.lines[0].get_xdata()
    assert list(points) == pytest.approx([47.1, 47.0])
    assert axes.get_legend().get_texts()[0].get_text() == "official split, validation part"
