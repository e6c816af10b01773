"""How shares are written."""

import pytest

from songnet.text import signed_points


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.097, "+9.7"), (-0.004, "−0.4"), (0.0, "+0.0"), (-0.0003, "+0.0"), (-0.0006, "−0.1")],
)
def test_no_difference_has_no_minus(difference: float, text: str) -> None:
    assert signed_points(difference) == text
