"""Confusions and scores of single genres."""

import numpy as np
import pandas as pd

from songnet.evaluation.metrics import (
    NO_INTERVAL_BELOW,
    artist_bootstrap,
    effective_artists,
    genre_scores,
)
from songnet.evaluation.tables import Run, groups


def confusion_table(runs: list[Run]) -> pd.DataFrame:
    """Counts summed over runs: protocol, model, subset, genre, predicted, predictions."""
    rows = []
    for (_, protocol, model), group in groups(runs).items():
        names = group[0].metrics["genre_names"]
        for subset in ("validation", "test"):
            if subset not in group[0].metrics:
                continue
            total = np.sum([run.metrics[subset]["confusion"] for run in group], axis=0)
            rows += [
                (protocol, model, subset, true, predicted, int(total[i, j]))
                for i, true in enumerate(names)
                for j, predicted in enumerate(names)
            ]
    columns = ["protocol", "model", "subset", "genre", "predicted", "predictions"]
    return pd.DataFrame(rows, columns=columns)


def genre_table(confusions: pd.DataFrame) -> pd.DataFrame:
    """Precision, recall and F1 (`genre_scores`) and number of predictions of each genre.

    Args:
        confusions: from `confusion_table`.
    """
    tables = []
    columns = ["protocol", "model", "subset"]
    for key, rows in confusions.groupby(columns, sort=False):
        matrix = rows.pivot(index="genre", columns="predicted", values="predictions")
        scores = pd.DataFrame(genre_scores(matrix.to_numpy()), index=matrix.index)
        table = scores.assign(
            predictions=matrix.sum(axis=1), **dict(zip(columns, key, strict=True))
        )
        tables.append(table.reset_index())
    scores = ["precision", "recall", "f1", "predictions"]
    return pd.concat(tables, ignore_index=True)[[*columns, "genre", *scores]]


def recall_intervals(
    runs: list[Run], artists: pd.Series, resamples: int, confidence: float
) -> pd.DataFrame:
    """How sure the recall of each genre is: a few artists with many tracks may decide it.

    Args:
        runs: of one data set.
        artists: artist of each track, index track_id.
        resamples: of the bootstrap over artists.
        confidence: of the interval.

    Returns:
        protocol, model, subset, genre, recall_low, recall_high, effective_artists. Of fewer than
        NO_INTERVAL_BELOW there is no interval.
    """
    rows = []
    for (_, protocol, model), group in groups(runs).items():
        predictions = pd.concat([run.predictions for run in group])
        evaluated = predictions[predictions["split"].isin(["validation", "test"])]
        for (subset, genre), table in evaluated.groupby(["split", "genre"], sort=False):
            correct = (table["predicted"] == genre).to_numpy(float)
            of_tracks = artists.loc[table["track_id"]]
            low, high = artist_bootstrap(correct, of_tracks, resamples, confidence)
            effective = effective_artists(of_tracks)
            if effective < NO_INTERVAL_BELOW:
                low = high = np.nan
            rows.append((protocol, model, subset, genre, low, high, round(effective, 1)))
    intervals = ["recall_low", "recall_high", "effective_artists"]
    return pd.DataFrame(rows, columns=["protocol", "model", "subset", "genre", *intervals])
