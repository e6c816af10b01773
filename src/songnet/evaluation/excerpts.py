"""Accuracy by excerpt length."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songnet.data.subsets import judging_subset
from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.runs import RunName, protocol_of

EXCERPT_COLUMNS = [
    "protocol", "split", "model", "seed", "subset", "seconds", "track_id", "correct",
]  # fmt: skip


def excerpt_predictions(
    predictor: Any, path: str, tracks: pd.DataFrame, seconds: list[float]
) -> pd.DataFrame:
    """Predict the first seconds of each held-out clip with a trained network.

    Args:
        predictor: predictor of the tracks.
        path: weights file in the folder of its run.
        tracks: columns split and genre, index track_id.
        seconds: excerpt lengths, ascending.

    Returns:
        One row per excerpt with the columns EXCERPT_COLUMNS.
    """
    name = RunName.of(Path(path).parent)
    subset = judging_subset(tracks["split"])
    rows = np.flatnonzero(tracks["split"] == subset)
    held_out = tracks.iloc[rows]
    run = name._asdict() | {"protocol": protocol_of(name.split), "subset": subset}
    tables = [pd.DataFrame(columns=EXCERPT_COLUMNS)]
    for length, predicted, _ in predictor.predict_excerpts(path, seconds, rows):
        correct = predicted == held_out["genre"].to_numpy()
        found = {"seconds": length, "track_id": held_out.index, "correct": correct}
        tables.append(pd.DataFrame(run | found)[EXCERPT_COLUMNS])
    return pd.concat(tables[1:] or tables)


def excerpt_table(predictions: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Compute the accuracy by excerpt length.

    Args:
        predictions: columns EXCERPT_COLUMNS.
        bootstrap: bootstrap over artists.

    Returns:
        protocol, model, subset, seconds, accuracy over all runs, ci_low, ci_high, predictions.
    """
    columns = ["protocol", "model", "subset", "seconds"]
    rows = []
    for key, table in predictions.groupby(columns, sort=False):
        correct = table.set_index("track_id")["correct"].astype(float)
        rows.append((*key, correct.mean(), *bootstrap.interval(correct), len(table)))
    return pd.DataFrame(rows, columns=[*columns, "accuracy", "ci_low", "ci_high", "predictions"])
