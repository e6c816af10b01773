"""The results as text."""

from typing import Any

import pandas as pd

from songnet.markdown import _to_the_digit

MODELS: dict[str, dict[str, Any]] = {
    "knn": {"title": "kNN", "family": "baseline", "estimator": "x", "poster": 0.3638},
    "svm": {"title": "SVM", "family": "baseline", "estimator": "x", "poster": 0.4638},
    "svm_518": {"title": "SVM 518", "family": "baseline", "estimator": "x", "poster": None},
    "crnn": {"title": "C-RNN", "family": "crnn", "poster": 0.6532},
}


def counts(model: str, right: int, tracks: int) -> list[tuple[str, str, str, str, str, int]]:
    return [
        ("official", model, "test", "Folk", "Folk", right),
        ("official", model, "test", "Folk", "Rock", tracks - right),
    ]


def page(tracks: int, runs: int = 1) -> str:
    rows = [
        row
        for model, right in [("knn", 291), ("svm", 375), ("svm_518", 400), ("crnn", 400)]
        for row in counts(model, right * runs, tracks * runs)
    ]
    columns = ["protocol", "model", "part", "genre", "predicted", "tracks"]
    results = pd.DataFrame({"protocol": "official", "model": list(MODELS), "seeds": runs})
    return "\n".join(_to_the_digit(results, pd.DataFrame(rows, columns=columns), MODELS))


def test_counts_stand_beside_the_posters() -> None:
    for runs in (1, 3):
        text = page(800, runs)
        lines = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
        assert ["", "kNN", "291", "291", "match", ""] in lines
        assert ["", "SVM", "375", "371", "difference +4", ""] in lines
        assert "518" not in text and "C-RNN" not in text


def test_other_test_parts_are_not_compared() -> None:
    assert page(797) == ""
