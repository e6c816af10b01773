"""Formatting of shares."""

import pytest

from songnet.formatting import credit, in_percent, listed, percent, signed_points


def test_percent_rounds_and_marks_missing() -> None:
    assert (percent(0.46375), percent(0.46375, 2), in_percent(0.0)) == ("46.4 %", "46.38 %", "0.0")
    assert [percent(None), in_percent(float("nan")), signed_points(float("nan"))] == ["–"] * 3


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.097, "+9.7"), (-0.004, "−0.4"), (0.0, "+0.0"), (-0.0003, "+0.0"), (-0.0006, "−0.1")],
)
def test_signed_points_of_zero_has_no_minus(difference: float, text: str) -> None:
    assert signed_points(difference) == text


def test_credit_shortens_long_titles() -> None:
    track = {"artist": "Ann", "title": "x" * 10_000, "license": float("nan")}
    assert credit(track) == f"Ann: {'x' * 99}… · licence not given"


def test_listed_keeps_names_with_commas_apart() -> None:
    assert listed(["SVM", "MLP", "C-RNN"]) == "SVM, MLP and C-RNN"
    assert listed(["SVM", "SVM, 518 features", "C-RNN"]) == "SVM; SVM, 518 features and C-RNN"
    assert listed("abcdefg") == "a, b, c, d, e and 2 more"
