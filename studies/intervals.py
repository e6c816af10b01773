"""Coverage of the bootstrap's intervals on simulated data.

Prints two tables: intervals over few and many artists, and over artists and splits or seeds.
"""

import numpy as np
import pandas as pd

from songnet.evaluation.bootstrap import Bootstrap

TRACKS = 8  # tracks per artist
CHANCE = 1.2, 0.8  # Beta distribution of an artist's accuracy, with mean 0.6
ARTISTS = 50  # artists in each split, with four tracks each
# Standard deviations of the random effects of split, seed, artist and track on a difference.
EFFECTS = {
    "trainings only": (0.035, 0.035, 0.0, 0.05),
    "trainings and artists alike": (0.035, 0.035, 0.05, 0.3),
    "mostly artists": (0.014, 0.014, 0.18, 0.3),
}
REPEATS = (5, 3), (3, 3), (1, 3)  # splits, seeds


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


def covered_by_runs(
    splits: int, seeds: int, effects: tuple[float, ...], repeats: int, rng: np.random.Generator
) -> float:
    """Return the coverage of 0 over simulated comparisons without a difference."""
    split, seed, artist = (values.ravel() for values in np.indices((splits, seeds, 4 * ARTISTS)))
    artist = split * ARTISTS + artist // 4
    bootstrap = Bootstrap(pd.Series(artist), 400, 0.95)
    pair = split * seeds + seed
    of_split, of_seed, of_artist, of_track = effects
    covered = 0
    for _ in range(repeats):
        gains = rng.normal(0, of_split, splits)[split] + rng.normal(0, of_seed, pair[-1] + 1)[pair]
        gains += rng.normal(0, of_artist, splits * ARTISTS)[artist]
        gains += rng.normal(0, of_track, len(gains))
        low, high = bootstrap.interval(pd.Series(gains), runs=split if splits > 1 else pair)
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
    print(
        "| what varies |",
        " | ".join(f"{splits} splits × {seeds} seeds" for splits, seeds in REPEATS),
        "|",
    )
    print("|---" * (len(REPEATS) + 1) + "|")
    for name, effects in EFFECTS.items():
        shares = [covered_by_runs(*number, effects, 1000, rng) for number in REPEATS]
        print(f"| {name}: coverage, % |", " | ".join(f"{100 * share:.0f}" for share in shares), "|")


if __name__ == "__main__":
    main()
