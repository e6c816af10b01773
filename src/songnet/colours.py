"""Colour-blind-safe colours, shared by figures and pages."""

# The palette of Okabe and Ito, followed by darker colours.
PALETTE = [
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B8A800", "#767676",
    "#004466", "#7A5200", "#00573F", "#7A3500", "#7A4060", "#2A6A8A", "#6B6200", "#999999",
]  # fmt: skip
PROTOCOLS = {"random": "#E69F00", "artist": "#0072B2", "official": "#009E73"}


def genre_colours(genres: list[str]) -> dict[str, str]:
    """Assign a colour to each genre, in alphabetical order."""
    return {genre: PALETTE[i % len(PALETTE)] for i, genre in enumerate(sorted(genres))}
