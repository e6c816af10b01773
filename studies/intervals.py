"""Coverage of the bootstrap's intervals on simulated data.

Prints two tables: intervals over few and many artists, and over artists and pairs of runs.
"""

import numpy as np
import pandas as pd

from songnet.evaluation.bootstrap import Bootstrap

TRACKS = 8  # tracks per artist
CHANCE = 1.2, 0.8  # Beta distribution of an artist's accuracy, with mean 0.6
ARTISTS = 50  # artists in a comparison, with four tracks each
# Standard deviations of the random effects of run, artist and track on a difference.
EFFECTS = {
    "trainings alone differ": (0.05, 0.0, 0.05),
    "trainings and artists differ alike": (0.05, 0.05, 0.3),
    "artists differ far more": (0.02, 0.18, 0.3),
}


def covered_by_artists(artists: int, repeats: int, rng: np.random.Generator) -> float:
    """Return the coverage of the true accuracy over simulated test subsets."""
    bootstrap = Bootstrap(pd.Series(np.repeat(np.arange(artists), TRACKS)), 1000, 0.95)
    truth = CHANCE[0] / sum(CHANCE)
    covered = 0
    for _ in range(repeats):
        chances = np.repeat(rng.beta(*CHANCE, artists), TRACKS)
        low, high = bootstrap.interval(pd.Series(rng.random(len(chances)) < chances))
        covered += low <= truth <= high
    return covered / repeats


def covered_by_pairs(
    pairs: int, effects: tuple[float, float, float], repeats: int, rng: np.random.Generator
) -> float:
    """Return the coverage of 0 over simulated comparisons without a difference."""
    artists = np.tile(np.repeat(np.arange(ARTISTS), 4), pairs)
    bootstrap = Bootstrap(pd.Series(artists), 400, 0.95)
    runs = np.repeat(np.arange(pairs), ARTISTS * 4)
    of_run, of_artist, of_track = effects
    covered = 0
    for _ in range(repeats):
        gains = rng.normal(0, of_run, pairs)[runs] + rng.normal(0, of_artist, ARTISTS)[artists]
        gains += rng.normal(0, of_track, len(runs))
        low, high = bootstrap.interval(pd.Series(gains), runs=runs)
        covered += low <= 0 <= high
    return covered / repeats


def main() -> None:
    """Print both tables."""
    rng = np.random.default_rng(0)
    numbers = (50, 20, 10, 5, 3)
    shares = [covered_by_artists(artists, 1000, rng) for artists in numbers]
    print("| artists |", " | ".join(map(str, numbers)), "|")
    print("|---" * (len(numbers) + 1) + "|")
    print("| coverage, % |", " | ".join(f"{100 * share:.0f}" for share in shares), "|\n")
    pairs = (9, 6, 5, 3, 2)
    print("| pairs of runs |", " | ".join(map(str, pairs)), "|")
    print("|---" * (len(pairs) + 1) + "|")
    for name, effects in EFFECTS.items():
        shares = [covered_by_pairs(number, effects, 400, rng) for number in pairs]
        print(f"| {name}: coverage, % |", " | ".join(f"{100 * share:.0f}" for share in shares), "|")


if __name__ == "__main__":
    main()
