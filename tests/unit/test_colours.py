"""Legible colours."""

import pytest

from songnet.colours import text_on_heat


@pytest.mark.parametrize(
    ("share", "colour"), [(0.0, "white"), (0.3, "white"), (0.6, "black"), (1.0, "black")]
)
def test_text_contrasts_with_its_cell(share: float, colour: str) -> None:
    assert text_on_heat(share) == colour
