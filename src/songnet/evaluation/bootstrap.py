"""Confidence intervals by resampling whole artists."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BLOCK = 500  # bootstrap samples drawn at once
# With fewer, an interval would mislead: where all tracks are wrong, the bootstrap gives 0 to 0.
MIN_EFFECTIVE_ARTISTS = 5


@dataclass(frozen=True)
class Bootstrap:
    """Percentile intervals of means under resampling of whole artists.

    Tracks of one artist are right or wrong together, so artists, not tracks, are the independent
    units (cluster bootstrap: Davison and Hinkley, Bootstrap Methods, 1997, section 3.8).

    Args:
        artists: artist of each track, index track_id; a track without one counts for itself.
        resamples: number of bootstrap samples.
        confidence: of the intervals, e.g. 0.95.
    """

    artists: pd.Series
    resamples: int
    confidence: float

    def interval(
        self,
        values: pd.Series,
        subtracted: NDArray[np.bool_] | None = None,
        runs: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """Interval of an accuracy, or of another mean.

        With `runs`, runs are resampled as well, independently of the artists (Owen, "The pigeonhole
        bootstrap", Annals of Applied Statistics 1 (2), 2007); of n runs n - 1 at a time, so that
        their mean varies as that of n does (Rao and Wu, "Resampling inference with complex survey
        data", Journal of the American Statistical Association 83, 1988).

        Args:
            values: (n,) 0 or 1 for each track of each run, or another figure whose mean counts;
                index track_id.
            subtracted: (n,) True for the rows of B in a comparison A − B; the interval is then that
                of the difference between the two means. Artists are drawn for both at once.
            runs: (n,) number of the run, from 0, that a row is of.
        """
        codes, names = pd.factorize(self._codes.loc[values.index])
        of_run = np.zeros(len(codes), np.int64) if runs is None else runs
        of_side = (
            np.zeros(len(codes), np.int64) if subtracted is None else subtracted.astype(np.int64)
        )
        n_artists, n_runs = len(names), int(of_run.max()) + 1
        shape = n_artists, n_runs, 1 if subtracted is None else 2
        cells = np.ravel_multi_index((codes, of_run, of_side), shape)
        hits, sizes = (
            np.bincount(cells, weights, np.prod(shape)).reshape(shape)
            for weights in (values.to_numpy(float), None)
        )
        artist_draws, run_draws = np.random.default_rng(0), np.random.default_rng(1)
        any_artist, any_run = np.full(n_artists, 1 / n_artists), np.full(n_runs, 1 / n_runs)
        accuracies = []
        # In blocks: all counts at once would take gigabytes for a large list of artists.
        for start in range(0, self.resamples, BLOCK):
            size = min(BLOCK, self.resamples - start)
            drawn_artists = artist_draws.multinomial(n_artists, any_artist, size)
            drawn_runs = run_draws.multinomial(max(1, n_runs - 1), any_run, size)
            drawn_hits, drawn_sizes = (
                np.einsum("dr,drs->ds", drawn_runs, np.tensordot(drawn_artists, counts, 1))
                for counts in (hits, sizes)
            )
            with np.errstate(invalid="ignore"):  # a draw may have nothing of one side
                accuracies.append(drawn_hits / drawn_sizes)
        drawn_accuracies = np.concatenate(accuracies)
        drawn_accuracies = drawn_accuracies[:, 0] - (
            0 if subtracted is None else drawn_accuracies[:, 1]
        )
        tail = (1 - self.confidence) / 2
        low, high = np.nanquantile(drawn_accuracies, [tail, 1 - tail])
        return float(low), float(high)

    def interval_of_enough(self, values: pd.Series) -> tuple[float, float]:
        """`interval`, NaN for fewer than MIN_EFFECTIVE_ARTISTS."""
        if self.effective_artists(values) < MIN_EFFECTIVE_ARTISTS:
            return np.nan, np.nan
        return self.interval(values)

    def effective_artists(self, values: pd.Series) -> float:
        """`effective_artists` of the tracks in the index of ``values``."""
        return _effective(self._codes.loc[values.index])

    @cached_property
    def _codes(self) -> pd.Series:
        """Number of each track's artist: a report has hundreds of intervals of the same tracks."""
        return _artist_codes(self.artists)


def effective_artists(artists: pd.Series) -> float:
    """Number of artists of equal size that would give as precise a mean: (Σ nₐ)² / Σ nₐ².

    (Kish, Survey Sampling, 1965: where one artist has half of the tracks, it is below four.)

    Args:
        artists: (n,) artist of each track, index track_id; a track without one counts for itself.
    """
    return _effective(_artist_codes(artists))


def _effective(codes: pd.Series) -> float:
    sizes = np.bincount(codes)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def _artist_codes(artists: pd.Series) -> pd.Series:
    own = [f"track {track_id}" for track_id in artists.index]
    named = artists.astype(object).where(artists.notna(), own)
    return pd.Series(pd.factorize(named)[0], artists.index)
