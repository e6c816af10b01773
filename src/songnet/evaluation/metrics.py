"""How good the predictions are, and how sure one can be of that."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songnet.io import replacing, write_json
from songnet.models.predictions import genres_of

Array = NDArray[np.float64]
BLOCK = 500  # bootstrap samples drawn at once
# Of fewer, an interval would deceive: where all tracks are missed, the bootstrap gives 0 to 0.
NO_INTERVAL_BELOW = 5  # effective artists


def write_evaluation(
    predictions: str | Path,
    metrics: str | Path,
    table: pd.DataFrame,
    artists: pd.Series,
    resamples: int,
    confidence: float,
) -> None:
    """Write predictions.parquet and metrics.json of one run.

    Args:
        predictions: output, the table itself.
        metrics: output, `subset_metrics` of each subset and the genres' names.
        table: from `prediction_table`.
        artists: artist of each track, index track_id.
        resamples: of the bootstrap.
        confidence: of the interval.
    """
    genres = genres_of(table)
    with replacing(predictions) as temporary:
        table.to_parquet(temporary, index=False)
    found = {
        subset: subset_metrics(rows, artists, genres, resamples, confidence)
        for subset, rows in table.groupby("split")
    }
    write_json(metrics, {"genre_names": genres, **found})


def confusion_matrix(
    truth: pd.Series, predicted: pd.Series, genres: list[str]
) -> NDArray[np.int64]:
    """Counts, (true genre, predicted genre)."""
    at = {genre: i for i, genre in enumerate(genres)}
    matrix = np.zeros((len(genres), len(genres)), np.int64)
    np.add.at(matrix, (truth.map(at).to_numpy(), predicted.map(at).to_numpy()), 1)
    return matrix


def genre_scores(confusion: NDArray[np.int64]) -> dict[str, Array]:
    """Precision, recall and F1 of each genre, (genres,).

    NaN where nothing is to be said: precision where nothing is called so, recall without a track,
    F1 where both are missing.
    """
    hits, called, tracks = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return {
            "precision": hits / called,
            "recall": hits / tracks,
            "f1": 2 * hits / (called + tracks),
        }


def log_losses(predictions: pd.DataFrame) -> Array:
    """Negative logarithm of the probability of each track's genre, (n,) in nats; 27.6 at most.

    Args:
        predictions: from `prediction_table`.
    """
    genres = genres_of(predictions)
    of_genre = {genre: i for i, genre in enumerate(genres)}
    probabilities = predictions[genres].to_numpy(float)
    of_truth = probabilities[np.arange(len(predictions)), predictions["genre"].map(of_genre)]
    losses: Array = -np.log(np.maximum(of_truth, 1e-12))
    return losses


def artist_bootstrap(
    correct: Array,
    artists: pd.Series,
    resamples: int,
    confidence: float,
    less: NDArray[np.bool_] | None = None,
    runs: NDArray[np.int64] | None = None,
) -> tuple[float, float]:
    """Percentile interval of the accuracy under resampling of whole artists.

    Tracks of one artist are right or wrong together, so artists, not tracks, are the independent
    units (cluster bootstrap: Davison and Hinkley, Bootstrap Methods, 1997, section 3.8).

    With `runs`, runs are drawn anew as well, independently of the artists (Owen, "The pigeonhole
    bootstrap", Annals of Applied Statistics 1 (2), 2007); of n runs n - 1 at a time, so that their
    mean varies as that of n does (Rao and Wu, "Resampling inference with complex survey data",
    Journal of the American Statistical Association 83, 1988).

    Args:
        correct: (n,) 0 or 1 for each track of each run, or another figure whose mean counts.
        artists: (n,) artist of each track, index track_id; a track without one counts for itself.
        resamples: number of bootstrap samples.
        confidence: e.g. 0.95.
        less: (n,) which rows are the other side of a comparison; the interval is then that of the
            accuracy on the rest less the accuracy on these. Artists are drawn for both at once.
        runs: (n,) number of the run, from 0, that a row is of.
    """
    codes, names = _clusters(artists)
    of_run = np.zeros(len(codes), np.int64) if runs is None else runs
    of_side = np.zeros(len(codes), np.int64) if less is None else less.astype(np.int64)
    n_artists, n_runs = len(names), int(of_run.max()) + 1
    shape = n_artists, n_runs, 1 if less is None else 2
    cells = np.ravel_multi_index((codes, of_run, of_side), shape)
    hits, sizes = (
        np.bincount(cells, weights, np.prod(shape)).reshape(shape) for weights in (correct, None)
    )
    artist_draws, run_draws = np.random.default_rng(0), np.random.default_rng(1)
    any_artist, any_run = np.full(n_artists, 1 / n_artists), np.full(n_runs, 1 / n_runs)
    accuracies = []
    # In blocks: all counts at once would take gigabytes for a large list of artists.
    for start in range(0, resamples, BLOCK):
        size = min(BLOCK, resamples - start)
        drawn_artists = artist_draws.multinomial(n_artists, any_artist, size)
        drawn_runs = run_draws.multinomial(max(1, n_runs - 1), any_run, size)
        drawn_hits, drawn_sizes = (
            np.einsum("dr,drs->ds", drawn_runs, np.tensordot(drawn_artists, counts, 1))
            for counts in (hits, sizes)
        )
        with np.errstate(invalid="ignore"):  # a draw may have nothing of one side
            accuracies.append(drawn_hits / drawn_sizes)
    drawn_accuracies = np.concatenate(accuracies)
    drawn_accuracies = drawn_accuracies[:, 0] - (0 if less is None else drawn_accuracies[:, 1])
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(drawn_accuracies, [tail, 1 - tail])
    return float(low), float(high)


def effective_artists(artists: pd.Series) -> float:
    """Number of artists with equally many tracks that would say as much: (Σ nₐ)² / Σ nₐ².

    (Kish, Survey Sampling, 1965: where one artist has half of the tracks, there are hardly four.)

    Args:
        artists: (n,) as for `artist_bootstrap`.
    """
    sizes = np.bincount(_clusters(artists)[0])
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def _clusters(artists: pd.Series) -> tuple[NDArray[np.int64], pd.Index]:
    own = [f"track {track_id}" for track_id in artists.index]
    return pd.factorize(artists.astype(object).where(artists.notna(), own))


def subset_metrics(
    table: pd.DataFrame, artists: pd.Series, genres: list[str], resamples: int, confidence: float
) -> dict[str, Any]:
    """Metrics of one subset.

    Args:
        table: rows of `prediction_table`.
        artists: artist of each track, index track_id.
        genres: names, in the order of the confusion matrix.
        resamples: of the bootstrap.
        confidence: of the interval.

    Returns:
        tracks, accuracy, ci_low, ci_high, log_loss, genres, confusion, and macro_f1, over the
        genres that occur in truth or predictions, as scikit-learn's; a genre's scores are 0 where
        there is nothing to be said.
    """
    correct = (table["genre"] == table["predicted"]).to_numpy(float)
    low, high = artist_bootstrap(correct, artists.loc[table["track_id"]], resamples, confidence)
    confusion = confusion_matrix(table["genre"], table["predicted"], genres)
    scores = genre_scores(confusion)
    occurs = (confusion.sum(axis=0) + confusion.sum(axis=1)) > 0
    return {
        "tracks": len(table),
        "accuracy": float(correct.mean()),
        "ci_low": low,
        "ci_high": high,
        "macro_f1": float(scores["f1"][occurs].mean()),
        "log_loss": float(log_losses(table).mean()),
        "genres": {
            genre: {name: float(np.nan_to_num(values[i])) for name, values in scores.items()}
            | {"tracks": int(confusion[i].sum())}
            for i, genre in enumerate(genres)
        },
        "confusion": confusion.tolist(),
    }
