"""Colours that colour-blind readers can tell apart, the same in figures and on pages."""

import numpy as np

# Okabe and Ito's colours, then darker ones.
PALETTE = [
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B8A800", "#555555",
    "#004466", "#7A5200", "#00573F", "#7A3500", "#7A4060", "#2A6A8A", "#6B6200", "#999999",
]  # fmt: skip
PROTOCOLS = {"random": "#E69F00", "artist": "#0072B2", "official": "#009E73"}


def genre_colours(genres: list[str]) -> dict[str, str]:
    """Choose a colour for each genre, in alphabetical order."""
    return {genre: PALETTE[i % len(PALETTE)] for i, genre in enumerate(sorted(genres))}


def text_on_heat(share: float) -> str:
    """Black or white, whichever contrasts more with the colour of a share on the map viridis.

    (Relative luminance and contrast: WCAG 2.2.)
    """
    # Here, since it takes long to load and the server needs it not.
    from matplotlib import colormaps

    rgb = np.array(colormaps["viridis"](share)[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return "black" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "white"
