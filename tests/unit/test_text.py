"""How shares are written."""

import pytest

from songnet.formatting import credit, in_percent, percent, signed_points


def test_shares_have_one_decimal_and_may_be_missing() -> None:
    assert (percent(0.46375), percent(0.46375, 2), in_percent(0.0)) == ("46.4 %", "46.38 %", "0.0")
    assert [percent(None), in_percent(float("nan")), signed_points(float("nan"))] == ["–"] * 3


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.097, "+9.7"), (-0.004, "−0.4"), (0.0, "+0.0"), (-0.0003, "+0.0"), (-0.0006, "−0.1")],
)
def test_no_difference_has_no_minus(difference: float, text: str) -> None:
    assert signed_points(difference) == text


def test_credit_is_short_whatever_the_tags_hold() -> None:
    track = {"artist": "Ann", "title": "x" * 10_000, "license": float("nan")}
    assert credit(track) == f"Ann: {'x' * 99}… (licence not given)"
