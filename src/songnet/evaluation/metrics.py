"""Accuracy, scores per genre, and log-loss of predictions."""

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
        predictions: path of predictions.parquet.
        metrics: path of metrics.json, which gets `subset_metrics` and the genre names.
        table: from `prediction_table`.
        bootstrap: bootstrap over artists.
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
    """Compute precision, recall, F1 and number of predictions of each genre, index genre.

    Undefined scores are NaN: precision if the genre is never predicted, recall if it has no track,
    F1 if both are undefined.

    Args:
        truth: true genres.
        predicted: predicted genres.
        genres: names of all genres.
        counts: number of occurrences of each row; None for 1.
    """
    from sklearn.metrics import precision_recall_fscore_support  # takes half a second

    scores = precision_recall_fscore_support(
        truth, predicted, labels=genres, sample_weight=counts, zero_division=np.nan
    )
    columns = dict(zip(("precision", "recall", "f1", "predictions"), scores, strict=True))
    return pd.DataFrame(columns, pd.Index(genres, name="genre")).astype({"predictions": int})


def truth_probabilities(predictions: pd.DataFrame) -> Array:
    """Return the predicted probability of each track's true genre, (n,).

    Args:
        predictions: from `prediction_table`.
    """
    genres = genres_of(predictions)
    columns = pd.Index(genres).get_indexer(predictions["genre"])
    return predictions[genres].to_numpy(float)[np.arange(len(predictions)), columns]


def log_losses(predictions: pd.DataFrame) -> Array:
    """Compute the log-loss of each prediction, (n,) in nats, clipped at 27.6."""
    losses: Array = -np.log(np.maximum(truth_probabilities(predictions), 1e-12))
    return losses


def subset_metrics(table: pd.DataFrame, genres: list[str], bootstrap: Bootstrap) -> dict[str, Any]:
    """Compute the metrics of one subset.

    Args:
        table: rows of `prediction_table`.
        genres: names, in the order of the confusion matrix.
        bootstrap: bootstrap over artists.

    Returns:
        tracks, accuracy, ci_low, ci_high, confidence, log_loss, genres (scores by genre, 0 if
        undefined), confusion (rows: true genre, columns: predicted genre), and macro_f1 over the
        genres that occur in truth or predictions, as in scikit-learn.
    """
    from sklearn.metrics import confusion_matrix

    truth, predicted = table["genre"], table["predicted"]
    correct = (truth == predicted).astype(float)
    low, high = bootstrap.interval(correct.set_axis(table["track_id"]))
    scores = genre_scores(truth, predicted, genres).rename(columns={"predictions": "tracks"})
    return {
        "tracks": len(table),
        "accuracy": float(correct.mean()),
        "ci_low": low,
        "ci_high": high,
        "confidence": bootstrap.confidence,
        "macro_f1": float(scores["f1"].mean()),
        "log_loss": float(log_losses(table).mean()),
        "genres": scores.fillna(0).to_dict("index"),
        "confusion": confusion_matrix(truth, predicted, labels=genres).tolist(),
    }
