"""Confusions and scores per genre."""

import numpy as np
import pandas as pd

from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.metrics import genre_scores
from songnet.evaluation.tables import Run, groups


def confusion_table(runs: list[Run]) -> pd.DataFrame:
    """Sum confusion counts over runs.

    Returns:
        protocol, model, subset, genre, predicted, predictions (count).
    """
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
    """Compute `genre_scores` for each protocol, model and subset.

    Args:
        confusions: from `confusion_table`.
    """

    def scores(rows: pd.DataFrame) -> pd.DataFrame:
        genres = sorted(set(rows["genre"]))
        return genre_scores(rows["genre"], rows["predicted"], genres, rows["predictions"])

    by_model = confusions.groupby(["protocol", "model", "subset"], sort=False)
    return by_model[["genre", "predicted", "predictions"]].apply(scores).reset_index()


def recall_intervals(runs: list[Run], bootstrap: Bootstrap) -> pd.DataFrame:
    """Compute confidence intervals of the recall of each genre.

    Args:
        runs: runs of one data set.
        bootstrap: bootstrap over artists.

    Returns:
        protocol, model, subset, genre, recall_low, recall_high (from
        `Bootstrap.interval_of_enough`), effective_artists.
    """
    rows = []
    for (_, protocol, model), group in groups(runs).items():
        predictions = pd.concat([run.predictions for run in group])
        evaluated = predictions[predictions["split"].isin(["validation", "test"])]
        for (subset, genre), table in evaluated.groupby(["split", "genre"], sort=False):
            correct = (table.set_index("track_id")["predicted"] == genre).astype(float)
            interval = bootstrap.interval_of_enough(correct)
            effective = round(bootstrap.effective_artists(correct), 1)
            rows.append((protocol, model, subset, genre, *interval, effective))
    intervals = ["recall_low", "recall_high", "effective_artists"]
    return pd.DataFrame(rows, columns=["protocol", "model", "subset", "genre", *intervals])
