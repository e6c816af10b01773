"""How often the bootstrap's intervals hold the truth, on data made so that it is known.

Two tables: intervals over artists, few and many, and intervals over artists and pairs of runs.
"""

import numpy as np
import pandas as pd

from songnet.evaluation.bootstrap import Bootstrap

TRACKS = 8  # of each artist
CHANCE = 1.2, 0.8  # of an artist to be recognised: Beta, of mean 0.6
ARTISTS = 50  # of a comparison, with four tracks each
# Standard deviations of what is added to a comparison by each run, each artist, each track.
EFFECTS = {
    "trainings alone differ": (0.05, 0.0, 0.05),
    "trainings and artists differ alike": (0.05, 0.05, 0.3),
    "artists differ far more": (0.02, 0.18, 0.3),
}


def covered_by_artists(artists: int, repeats: int, rng: np.random.Generator) -> float:
    """Share of made test subsets whose interval holds the mean chance."""
    bootstrap = Bootstrap(pd.Series(np.repeat(np.arange(artists), TRACKS)), 1000, 0.95)
    truth = CHANCE[0] / sum(CHANCE)
    held = 0
    for _ in range(repeats):
        chances = np.repeat(rng.beta(*CHANCE, artists), TRACKS)
        low, high = bootstrap.interval(pd.Series(rng.random(len(chances)) < chances))
        held += low <= truth <= high
    return held / repeats


def covered_by_pairs(
    pairs: int, effects: tuple[float, float, float], repeats: int, rng: np.random.Generator
) -> float:
    """Share of made comparisons without a difference whose interval holds zero."""
    artists = np.tile(np.repeat(np.arange(ARTISTS), 4), pairs)
    bootstrap = Bootstrap(pd.Series(artists), 400, 0.95)
    runs = np.repeat(np.arange(pairs), ARTISTS * 4)
    of_run, of_artist, of_track = effects
    held = 0
    for _ in range(repeats):
        gains = rng.normal(0, of_run, pairs)[runs] + rng.normal(0, of_artist, ARTISTS)[artists]
        gains += rng.normal(0, of_track, len(runs))
        low, high = bootstrap.interval(pd.Series(gains), runs=runs)
        held += low <= 0 <= high
    return held / repeats


def main() -> None:
    """Print both tables."""
    rng = np.random.default_rng(0)
    numbers = (50, 20, 10, 5, 3)
    shares = [covered_by_artists(artists, 1000, rng) for artists in numbers]
    print("| artists |", " | ".join(map(str, numbers)), "|")
    print("|---" * (len(numbers) + 1) + "|")
    print("| held, % |", " | ".join(f"{100 * share:.0f}" for share in shares), "|\n")
    pairs = (9, 6, 5, 3, 2)
    print("| pairs of runs |", " | ".join(map(str, pairs)), "|")
    print("|---" * (len(pairs) + 1) + "|")
    for name, effects in EFFECTS.items():
        shares = [covered_by_pairs(number, effects, 400, rng) for number in pairs]
        print(f"| {name}: held, % |", " | ".join(f"{100 * share:.0f}" for share in shares), "|")


if __name__ == "__main__":
    main()
