"""Colour-blind-safe colours, shared by figures and pages."""

import numpy as np

# The palette of Okabe and Ito, followed by darker colours.
PALETTE = [
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B8A800", "#555555",
    "#004466", "#7A5200", "#00573F", "#7A3500", "#7A4060", "#2A6A8A", "#6B6200", "#999999",
]  # fmt: skip
PROTOCOLS = {"random": "#E69F00", "artist": "#0072B2", "official": "#009E73"}


def genre_colours(genres: list[str]) -> dict[str, str]:
    """Assign a colour to each genre, in alphabetical order."""
    return {genre: PALETTE[i % len(PALETTE)] for i, genre in enumerate(sorted(genres))}


def text_on_heat(share: float) -> str:
    """Return the text colour, black or white, with the higher contrast on the viridis map.

    Relative luminance and contrast follow WCAG 2.2.

    Args:
        share: position on the colour map, 0 to 1.
    """
    # Imported here because matplotlib loads slowly and the server does not need it.
    from matplotlib import colormaps

    rgb = np.array(colormaps["viridis"](share)[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return "black" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "white"
