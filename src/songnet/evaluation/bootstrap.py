"""Confidence intervals from a bootstrap over artists."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BLOCK = 500  # bootstrap samples drawn at once
# With fewer, an interval is misleading: if all predictions are wrong, the bootstrap gives [0, 0].
MIN_EFFECTIVE_ARTISTS = 5


@dataclass(frozen=True)
class Bootstrap:
    """Percentile intervals of means from a cluster bootstrap over artists.

    Errors on tracks of one artist are correlated, so the artists are resampled, not the tracks
    (Davison and Hinkley, Bootstrap Methods, 1997, section 3.8).

    Args:
        artists: artist of each track, index track_id; a track without an artist is its own cluster.
        resamples: number of bootstrap samples.
        confidence: confidence level, e.g. 0.95.
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
        """Compute the interval of an accuracy or another mean.

        If `runs` is given, they are resampled as well, independently of the artists (Owen, "The
        pigeonhole bootstrap", Annals of Applied Statistics 1 (2), 2007). Each sample has n - 1 of n
        runs, which corrects the variance of the mean (Rao and Wu, "Resampling inference with
        complex survey data", Journal of the American Statistical Association 83, 1988).

        Args:
            values: (n,) correctness, 0 or 1, or another value per track and run; index track_id.
            subtracted: (n,) True for the rows of B in a comparison A − B, whose interval is that of
                the difference between the means. Both sides use the same resampled artists.
            runs: (n,) index of each row's run, or of its group of dependent runs, from 0.

        Returns:
            Lower and upper limit.
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
        # In blocks, because all counts at once would take gigabytes for many artists.
        for start in range(0, self.resamples, BLOCK):
            size = min(BLOCK, self.resamples - start)
            drawn_artists = artist_draws.multinomial(n_artists, any_artist, size)
            drawn_runs = run_draws.multinomial(max(1, n_runs - 1), any_run, size)
            drawn_hits, drawn_sizes = (
                np.einsum("dr,drs->ds", drawn_runs, np.tensordot(drawn_artists, counts, 1))
                for counts in (hits, sizes)
            )
            with np.errstate(invalid="ignore"):  # a sample may have no row of one side
                accuracies.append(drawn_hits / drawn_sizes)
        drawn_accuracies = np.concatenate(accuracies)
        drawn_accuracies = drawn_accuracies[:, 0] - (
            0 if subtracted is None else drawn_accuracies[:, 1]
        )
        tail = (1 - self.confidence) / 2
        low, high = np.nanquantile(drawn_accuracies, [tail, 1 - tail])
        return float(low), float(high)

    def interval_of_enough(self, values: pd.Series) -> tuple[float, float]:
        """Compute `interval`, or NaN for fewer than MIN_EFFECTIVE_ARTISTS effective artists."""
        if self.effective_artists(values) < MIN_EFFECTIVE_ARTISTS:
            return np.nan, np.nan
        return self.interval(values)

    def effective_artists(self, values: pd.Series) -> float:
        """Compute `effective_artists` of the tracks in the index of ``values``."""
        return _effective(self._codes.loc[values.index])

    @cached_property
    def _codes(self) -> pd.Series:
        """Number of each track's artist: a report has hundreds of intervals of the same tracks."""
        return _artist_codes(self.artists)


def effective_artists(artists: pd.Series) -> float:
    """Compute Kish's effective sample size of the artists, (Σ nₐ)² / Σ nₐ².

    It is the number of artists with equally many tracks that would give an equally precise mean,
    and below four if one artist has half of the tracks (Kish, Survey Sampling, 1965).

    Args:
        artists: (n,) artist of each track, index track_id; a track without an artist is its own
            cluster.
    """
    return _effective(_artist_codes(artists))


def _effective(codes: pd.Series) -> float:
    sizes = np.bincount(codes)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def _artist_codes(artists: pd.Series) -> pd.Series:
    own = [f"track {track_id}" for track_id in artists.index]
    named = artists.astype(object).where(artists.notna(), own)
    return pd.Series(pd.factorize(named)[0], artists.index)
