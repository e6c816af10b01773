"""Legible colours."""

import numpy as np
import pytest

from songnet.colours import PALETTE
from songnet.report.figures import HEAT

PAPERS = {"light": ("#fdfcfa", "#1c1c1e"), "dark": ("#18181a", "#eeecea")}  # as in page.css


def channels(colour: str) -> np.ndarray:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255


def luminance(rgb: np.ndarray) -> float:
    """Relative luminance (WCAG 2.2)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a: np.ndarray, b: np.ndarray) -> float:
    dark, light = sorted([luminance(a), luminance(b)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", PAPERS)
def test_text_on_heat_contrasts_with_cell(scheme: str) -> None:
    paper, ink = map(channels, PAPERS[scheme])
    for *rgb, alpha in HEAT(np.linspace(0, 1, 11)):
        assert contrast(alpha * np.array(rgb) + (1 - alpha) * paper, ink) >= 4.5


def test_grey_contrasts_with_light_and_dark_pages() -> None:
    grey = channels(PALETTE[7])
    assert all(contrast(grey, channels(paper)) >= 3 for paper, _ in PAPERS.values())
