"""The results as text."""

from typing import Any

import pandas as pd
import pytest

from songnet.evaluation.tables import genre_table
from songnet.report.markdown import _accuracy_table, _differences, _genres, _to_the_digit

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


def page(tracks: int, runs: int = 1, comparable: bool = True) -> str:
    rows = [
        row
        for model, right in [("knn", 291), ("svm", 375), ("svm_518", 400), ("crnn", 400)]
        for row in counts(model, right * runs, tracks * runs)
    ]
    columns = ["protocol", "model", "part", "genre", "predicted", "verdicts"]
    results = pd.DataFrame({"protocol": "official", "model": list(MODELS), "seeds": runs})
    posters = [entry["poster"] if comparable else None for entry in MODELS.values()]
    results["poster_accuracy"] = pd.Series(posters, dtype=float)
    return "\n".join(_to_the_digit(results, pd.DataFrame(rows, columns=columns), MODELS))


def test_counts_stand_beside_the_posters() -> None:
    for runs in (1, 3):
        text = page(800, runs)
        lines = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
        assert ["", "kNN", "291", "291", "match", ""] in lines
        assert ["", "SVM", "375", "371", "difference +4", ""] in lines
        assert "518" not in text and "C-RNN" not in text
    assert page(800, comparable=False) == ""  # 800 tracks of other music


@pytest.mark.parametrize(
    ("protocol", "knn", "crnn"),
    [
        ("official", ["37.00", "36.38", "+0.62"], ["60.00", "65.32 (random)", ""]),
        ("random", ["37.00", "36.38 (official)", ""], ["60.00", "65.32", "−5.32"]),
        ("artist", ["37.0", "36.38 (official)"], ["60.0", "65.32 (random)"]),
    ],
)
def test_the_posters_figures_are_compared_in_their_own_division(
    protocol: str, knn: list[str], crnn: list[str]
) -> None:
    rows = pd.DataFrame(
        {"protocol": protocol, "model": ["knn", "svm_518", "crnn"], "seeds": 1, "divisions": 1,
         "accuracy": [0.37, 0.5, 0.6], "accuracy_sd": None, "ci_low": 0.3, "ci_high": 0.7,
         "macro_f1": 0.4, "poster_accuracy": [0.3638, None, 0.6532], "train_seconds": 1.0,
         "effective_artists": 40.0}
    )  # fmt: skip
    lines = [
        [cell.strip() for cell in line.split("|")][1:-1]
        for line in _accuracy_table(rows, MODELS).splitlines()
    ]
    shown = [i for i, name in enumerate(lines[0]) if name in ("accuracy %", "poster %")]
    shown += [i for i, name in enumerate(lines[0]) if name == "ours − poster"]
    assert [[line[i] for i in shown] for line in (lines[2], lines[4])] == [knn, crnn]

    few = _accuracy_table(rows.assign(effective_artists=7.6), MODELS)
    assert few.startswith("The test tracks weigh as those of 8 artists") and "too narrow" in few


def test_other_test_parts_are_not_compared() -> None:
    assert page(797) == ""


def last_line(counts: dict[str, list[int]]) -> list[str]:
    """Cells of the table of genres, of counts (true, predicted) by genre."""
    columns = ["protocol", "model", "part", "genre", "predicted", "verdicts"]
    rows = [
        ("official", "knn", "test", genre, predicted, tracks)
        for genre, row in counts.items()
        for predicted, tracks in zip(counts, row, strict=True)
    ]
    confusions = pd.DataFrame(rows, columns=columns)
    line = _genres(
        "official", {"knn": MODELS["knn"]}, genre_table(confusions), confusions
    ).splitlines()[-1]
    return [cell.strip() for cell in line.split("|")][1:-1]


def test_a_genre_without_tracks_is_not_the_hardest() -> None:
    cells = last_line({"Folk": [3, 0, 1], "Jazz": [0, 0, 0], "Rock": [2, 0, 2]})
    assert cells == ["kNN", "75", "–", "50", "Rock", "Folk (50 %)"]


def test_where_nothing_is_wrong_no_genre_is_the_hardest() -> None:
    assert last_line({"Folk": [3, 0], "Rock": [0, 2]}) == ["kNN", "100", "100", "–", "–"]


def test_many_differences_are_read_with_care() -> None:
    rows = pd.DataFrame(
        {"protocol": "artist", "model": ["knn"], "reference": "crnn", "difference": 0.1,
         "ci_low": 0.0, "ci_high": 0.2, "log_loss": -0.0321, "log_loss_low": -0.04,
         "log_loss_high": 0.0, "splits_won": 1, "splits": 1, "pairs": 3}
    )  # fmt: skip
    text = "\n".join(_differences(rows, MODELS))
    assert "of a dozen, one may well do so by chance" in text
    cells = [cell.strip() for cell in text.splitlines()[-1].strip("| ").split("|")]
    assert cells[1:4] == ["+10.0", "[+0.0, +20.0]", "−0.032"]
    assert cells[4:] == ["[−0.040, +0.000]", "1 of 1 divisions", "3"]


def test_without_a_test_part_the_validation_part_is_shown() -> None:
    rows = pd.DataFrame(
        {"protocol": "official", "model": ["knn", "crnn"], "seeds": [1, 2], "divisions": 3,
         "accuracy": [None, None], "validation_accuracy": [0.375, 0.5]}
    )  # fmt: skip
    text = _accuracy_table(rows, MODELS)
    assert text.startswith("The data set has no test part here; this is of the validation part")
    cells = [[cell.strip() for cell in line.split("|")][1:-1] for line in text.splitlines()[-2:]]
    assert cells == [["kNN", "37.5", "3"], ["C-RNN", "50.0", "6"]]
