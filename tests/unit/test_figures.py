"""Figures show everything they should, in small files."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from songnet.evaluation.runs import RunName
from songnet.report import figures

MODELS = {"svm": {"title": "SVM"}, "crnn": {"title": "C-RNN"}}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return figures instead of writing files."""
    kept: list[Any] = []
    monkeypatch.setattr(figures, "_write", lambda figure, _: kept.append(figure))
    return kept


def counts(*genres: str) -> pd.DataFrame:
    rows = [("test", a, b, 5) for a in genres for b in genres]
    return pd.DataFrame(rows, columns=["subset", "genre", "predicted", "predictions"])


@pytest.mark.parametrize("longest", ["Folk", "Old-Time / Historic", "Music of " + "long " * 30])
def test_confusion_figure_has_room_for_names(drawn: list[Any], longest: str) -> None:
    figures.confusion_figure(counts(longest, "Rock"), "SVM", "svm.svg")
    (figure,) = drawn
    figure.canvas.draw()
    axes = figure.axes[0]
    for text in (axes.yaxis.label, axes.xaxis.label, *axes.get_yticklabels()):
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0


def test_confusion_figure_svg_has_text_and_page_colours(tmp_path: Path) -> None:
    path = tmp_path / "svm.svg"
    figures.confusion_figure(counts("R&B 0.12345", *map(str, range(7))), "SVM", str(path))
    svg = path.read_text()
    assert svg.startswith("<svg ") and len(svg) < 20_000
    assert "R&amp;B 0.12345 (40)</text>" in svg
    assert "currentColor" in svg and 'class="paper"' in svg
    again = tmp_path / "again.svg"
    figures.confusion_figure(counts("R&B 0.12345", *map(str, range(7))), "SVM", str(again))
    assert again.read_text() == svg
    figures.confusion_figure(counts("Folk", "Rock"), "SVM", str(tmp_path / "svm.png"))
    assert (tmp_path / "svm.png").read_bytes().startswith(b"\x89PNG")


def test_training_figure_has_a_line_for_each_run(drawn: list[Any]) -> None:
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "train_loss": [2.0, 1.0, 0.5],
         "validation_loss": [1.9, 1.2, 1.1], "validation_accuracy": [0.2, 0.6, 0.5]}
    )  # fmt: skip
    runs = {RunName("artist", "crnn", seed): history for seed in ("1", "2")}
    figures.training_figure(runs, "C-RNN", "training.svg")
    left, right = drawn[0].axes
    assert [list(line.get_ydata()) for line in left.lines[:2]] == [[2, 1, 0.5], [1.9, 1.2, 1.1]]
    assert [list(line.get_ydata()) for line in right.lines[:2]] == [[20, 60, 50]] * 2


def test_accuracy_figure_without_test_set_shows_validation(drawn: list[Any]) -> None:
    results = pd.DataFrame(
        {"protocol": "official", "model": ["svm", "crnn"], "accuracy": None, "ci_low": None,
         "ci_high": None, "validation_accuracy": [0.471, 0.47], "poster_accuracy": None}
    )  # fmt: skip
    results = results.astype({"accuracy": float, "ci_low": float, "ci_high": float})
    figures.accuracy_figure(results, MODELS, "x", "accuracy.svg")
    assert list(drawn[0].axes[0].lines[0].get_xdata()) == pytest.approx([47.1, 47.0])
    assert drawn[0].legends[0].get_texts()[0].get_text() == "official split (validation)"


def test_excerpt_figure_may_be_empty(drawn: list[Any]) -> None:
    columns = ["protocol", "model", "subset", "seconds", "accuracy", "ci_low", "ci_high"]
    figures.excerpt_figure(pd.DataFrame(columns=columns), MODELS, "excerpts.svg")
    rows = [("artist", "crnn", "test", s, s / 10, s / 20, s / 5) for s in (1.0, 2.0)]
    figures.excerpt_figure(pd.DataFrame(rows, columns=columns), MODELS, "excerpts.svg")
    assert list(drawn[1].axes[0].lines[0].get_ydata()) == [10, 20]
