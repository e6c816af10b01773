"""Accuracy, scores of each genre, and log-loss of predictions."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songnet.evaluation.bootstrap import Bootstrap
from songnet.io import replacing, write_json
from songnet.models.predictions import genres_of

Array = NDArray[np.float64]


def write_evaluation(
    predictions: str | Path,
    metrics: str | Path,
    table: pd.DataFrame,
    bootstrap: Bootstrap,
) -> None:
    """Write predictions.parquet and metrics.json of one run.

    Args:
        predictions: output, the table itself.
        metrics: output, `subset_metrics` of each subset and the genres' names.
        table: from `prediction_table`.
        bootstrap: over artists.
    """
    genres = genres_of(table)
    with replacing(predictions) as temporary:
        table.to_parquet(temporary, index=False)
    found = {
        subset: subset_metrics(rows, genres, bootstrap) for subset, rows in table.groupby("split")
    }
    write_json(metrics, {"genre_names": genres, **found})


def genre_scores(
    truth: pd.Series, predicted: pd.Series, genres: list[str], counts: pd.Series | None = None
) -> pd.DataFrame:
    """Precision, recall and F1 of each genre, and the number of its predictions; index genre.

    NaN where undefined: precision where nothing is predicted as the genre, recall without a track
    of it, F1 where both are missing.

    Args:
        truth: genres.
        predicted: genres.
        genres: names.
        counts: how often each pair of genres occurs; None for once.
    """
    confusion = confusion_matrix(truth, predicted, genres, counts)
    hits, true, claimed = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    with np.errstate(invalid="ignore"):  # 0 / 0 is undefined
        columns = {
            "precision": hits / claimed,
            "recall": hits / true,
            "f1": 2 * hits / (true + claimed),
            "predictions": true.astype(int),
        }
    return pd.DataFrame(columns, pd.Index(genres, name="genre"))


def confusion_matrix(
    truth: pd.Series, predicted: pd.Series, genres: list[str], counts: pd.Series | None = None
) -> NDArray[Any]:
    """Count the tracks of each genre (row) that get each prediction (column).

    As scikit-learn's, which takes a second to import in every job that measures a model.

    Args:
        truth: genres.
        predicted: genres.
        genres: names, in the order of the rows and columns.
        counts: how often each pair of genres occurs; None for once.
    """
    names, size = pd.Index(genres), len(genres)
    cells = np.ravel_multi_index(
        (names.get_indexer(truth), names.get_indexer(predicted)), (size, size)
    )
    return np.bincount(cells, counts, size**2).reshape(size, size)


def truth_probabilities(predictions: pd.DataFrame) -> Array:
    """Probability of each track's genre, (n,).

    Args:
        predictions: from `prediction_table`.
    """
    genres = genres_of(predictions)
    columns = pd.Index(genres).get_indexer(predictions["genre"])
    return predictions[genres].to_numpy(float)[np.arange(len(predictions)), columns]


def log_losses(predictions: pd.DataFrame) -> Array:
    """Negative logarithm of `truth_probabilities`, (n,) in nats; 27.6 at most."""
    losses: Array = -np.log(np.maximum(truth_probabilities(predictions), 1e-12))
    return losses


def subset_metrics(table: pd.DataFrame, genres: list[str], bootstrap: Bootstrap) -> dict[str, Any]:
    """Metrics of one subset.

    Args:
        table: rows of `prediction_table`.
        genres: names, in the order of the confusion matrix.
        bootstrap: over artists.

    Returns:
        tracks, accuracy, ci_low, ci_high, log_loss, genres, confusion (true genre, predicted
        genre), and macro_f1 over the genres that occur in truth or predictions, as scikit-learn's;
        undefined scores of a genre are 0.
    """
    truth, predicted = table["genre"], table["predicted"]
    correct = (truth == predicted).astype(float)
    low, high = bootstrap.interval(correct.set_axis(table["track_id"]))
    scores = genre_scores(truth, predicted, genres).rename(columns={"predictions": "tracks"})
    return {
        "tracks": len(table),
        "accuracy": float(correct.mean()),
        "ci_low": low,
        "ci_high": high,
        "macro_f1": float(scores["f1"].mean()),
        "log_loss": float(log_losses(table).mean()),
        "genres": scores.fillna(0).to_dict("index"),
        "confusion": confusion_matrix(truth, predicted, genres).tolist(),
    }
