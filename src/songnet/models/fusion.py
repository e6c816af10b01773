"""Late fusion: a weighted sum of the log-probabilities of several models."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from songnet.data.subsets import artist_halves
from songnet.models.predictions import genres_of, prediction_table

Array = NDArray[np.float64]
FLOOR = 1e-6  # minimum probability of a member, so that a confident error of one is no veto
# Range of the weights: not all may be zero, and with few validation tracks large weights would make
# the fusion overconfident.
LEAST, MOST = 1e-3, 5.0


@dataclass(frozen=True)
class Fusion:
    """A fitted fusion."""

    weights: dict[str, float]  # by member
    predictions: pd.DataFrame  # as from `songnet.models.predictions.prediction_table`
    history: pd.DataFrame  # one row: epoch, seconds, validation_loss, validation_accuracy


def fuse_runs(runs: dict[str, list[pd.DataFrame]], artists: pd.Series, seconds: float) -> Fusion:
    """Fuse models with weights fitted on the validation subset.

    Validation tracks are predicted with weights fitted on the half of the validation subset without
    their artist, so that the fusion's validation accuracy is as unbiased as that of its members.

    Args:
        runs: prediction tables of each member's runs, all with the same tracks in the same order;
            the runs of a member are averaged.
        artists: artist of each track, index track_id.
        seconds: total training time of these runs, to which the time of the fusion is added.
    """
    start = time.perf_counter()
    first = next(iter(runs.values()))[0]
    genres = genres_of(first)
    members = [np.mean([table[genres] for table in tables], axis=0) for tables in runs.values()]
    validation = (first["split"] == "validation").to_numpy()
    truth = np.searchsorted(genres, first["genre"])
    weights = fit_weights([member[validation] for member in members], truth[validation])
    probabilities = fuse(members, weights)
    halves = artist_halves(artists.loc[first["track_id"][validation]])
    probabilities[validation] = _cross_fitted(
        [member[validation] for member in members], truth[validation], halves
    )
    predicted = np.array(genres)[probabilities.argmax(axis=1)]
    table = prediction_table(first, predicted, probabilities, genres)
    history = {
        "epoch": 1,
        "seconds": round(seconds + time.perf_counter() - start, 3),
        "validation_loss": -np.log(probabilities[validation, truth[validation]]).mean(),
        "validation_accuracy": (predicted == first["genre"])[validation].mean(),
    }
    named = dict(zip(runs, weights.tolist(), strict=True))
    return Fusion(named, table, pd.DataFrame([history]))


def fuse(members: list[Array], weights: Array) -> Array:
    """Pool probabilities log-linearly: proportional to the product of p_i ** w_i, (n, genres).

    Source: Genest and Zidek, "Combining probability distributions", Statistical Science, 1986.
    """
    logs = np.log(np.maximum(np.stack(members), FLOOR))
    return softmax(np.tensordot(weights, logs, axes=1), axis=1)


def _cross_fitted(
    members: list[Array], truth: NDArray[np.int64], halves: NDArray[np.bool_]
) -> Array:
    """Fuse each half with weights fitted on the other, (n, genres), or on itself if it is all."""
    fused = np.empty_like(members[0])
    for part in (halves, ~halves):
        other = ~part if part.any() and not part.all() else part
        weights = fit_weights([member[other] for member in members], truth[other])
        fused[part] = fuse([member[part] for member in members], weights)
    return fused


def fit_weights(members: list[Array], truth: NDArray[np.int64]) -> Array:
    """Fit the weights that minimise the log-loss.

    Args:
        members: probabilities (n, genres) of each member on the validation subset.
        truth: (n,) indices of the true genres.

    Returns:
        (members,) from LEAST to MOST.
    """

    def loss(weights: Array) -> float:
        of_truth = fuse(members, weights)[np.arange(len(truth)), truth]
        return float(-np.log(of_truth).mean())

    start = np.full(len(members), 1 / len(members))
    result = minimize(loss, start, method="L-BFGS-B", bounds=[(LEAST, MOST)] * len(members))
    return np.asarray(result.x)
