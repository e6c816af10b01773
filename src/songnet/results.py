"""From single runs to the results tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songnet.evaluation import artist_bootstrap, genre_scores
from songnet.files import read_json

COLUMNS = [
    "dataset", "protocol", "model", "seeds", "accuracy", "accuracy_sd", "ci_low", "ci_high",
    "macro_f1", "poster_accuracy", "train_seconds",
]  # fmt: skip


@dataclass(frozen=True)
class Run:
    """The files of one run."""

    params: dict[str, Any]
    metrics: dict[str, Any]
    predictions: pd.DataFrame
    history: pd.DataFrame


def read_runs(folders: list[Path]) -> list[Run]:
    """Read ``results/{dataset}/runs/{protocol}/{model}/{seed}`` folders."""
    return [
        Run(
            read_json(folder / "params.json"),
            read_json(folder / "metrics.json"),
            pd.read_parquet(folder / "predictions.parquet"),
            pd.read_csv(folder / "history.csv"),
        )
        for folder in folders
    ]


def _groups(runs: list[Run]) -> dict[tuple[str, str, str], list[Run]]:
    """Runs of each (dataset, protocol, model), over all training and split seeds."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        key = (run.params["dataset"], run.params["protocol"], run.params["model"])
        groups.setdefault(key, []).append(run)
    return groups


def results_table(
    runs: list[Run], artists: pd.Series, resamples: int, confidence: float
) -> pd.DataFrame:
    """One row for each protocol and model, on the test part.

    Args:
        runs: of one data set.
        artists: artist of each track, index track_id.
        resamples: of the bootstrap over artists.
        confidence: of the interval.

    Returns:
        COLUMNS: mean and standard deviation over runs; an interval that holds for the mean over
        runs; seconds of training, mean over runs. Figures of the test part are missing where the
        data set has none.
    """
    rows = []
    for (dataset, protocol, model), group in _groups(runs).items():
        row: dict[str, Any] = {
            "dataset": dataset,
            "protocol": protocol,
            "model": model,
            "seeds": len(group),
        }
        tests = [run.metrics["test"] for run in group if "test" in run.metrics]
        if tests:
            accuracies = [test["accuracy"] for test in tests]
            row["accuracy"] = np.mean(accuracies)
            row["accuracy_sd"] = np.std(accuracies, ddof=1) if len(tests) > 1 else None
            predictions = pd.concat([run.predictions for run in group])
            predictions = predictions[predictions["split"] == "test"].reset_index(drop=True)
            correct = (predictions["genre"] == predictions["predicted"]).to_numpy(float)
            row["ci_low"], row["ci_high"] = artist_bootstrap(
                correct, predictions["track_id"].map(artists), resamples, confidence
            )
            row["macro_f1"] = np.mean([test["macro_f1"] for test in tests])
        row["poster_accuracy"] = group[0].params.get("poster")
        row["train_seconds"] = round(np.mean([run.history["seconds"].sum() for run in group]), 3)
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def confusion_table(runs: list[Run]) -> pd.DataFrame:
    """Counts summed over runs: protocol, model, part, genre, predicted, tracks."""
    rows = []
    for (_, protocol, model), group in _groups(runs).items():
        names = group[0].metrics["genre_names"]
        for part in _parts(group):
            total = sum(np.array(run.metrics[part]["confusion"]) for run in group)
            rows += [
                (protocol, model, part, true, predicted, int(total[i, j]))
                for i, true in enumerate(names)
                for j, predicted in enumerate(names)
            ]
    columns = ["protocol", "model", "part", "genre", "predicted", "tracks"]
    return pd.DataFrame(rows, columns=columns)


def genre_table(runs: list[Run]) -> pd.DataFrame:
    """Precision, recall and F1 of each genre from the counts summed over runs."""
    rows = []
    for (_, protocol, model), group in _groups(runs).items():
        names = group[0].metrics["genre_names"]
        for part in _parts(group):
            total = sum(np.array(run.metrics[part]["confusion"]) for run in group)
            scores = genre_scores(total)
            rows += [
                {"protocol": protocol, "model": model, "part": part, "genre": name}
                | {score: values[i] for score, values in scores.items()}
                | {"tracks": int(total[i].sum())}
                for i, name in enumerate(names)
            ]
    return pd.DataFrame(rows)


def _parts(group: list[Run]) -> list[str]:
    return [part for part in ("validation", "test") if part in group[0].metrics]
