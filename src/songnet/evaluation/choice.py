"""Selection of the best model and run by validation accuracy."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from songnet.evaluation.runs import FAIREST, RunName
from songnet.io import read_json


def best_validated(validated: pd.DataFrame) -> str:
    """Return the model with the best mean validation accuracy, the first one of a tie.

    All families are comparable, since no training maximises validation accuracy directly.

    Args:
        validated: columns model and validation_accuracy, one row per run or model.
    """
    means = validated.groupby("model", sort=False)["validation_accuracy"].agg(mean_validated)
    return str(means.idxmax())


def mean_validated(accuracies: Sequence[float] | pd.Series) -> float:
    """Average validation accuracies, so that a tie is one whatever the order of the runs."""
    return round(math.fsum(accuracies) / len(accuracies), 12)


def by_validation(results: pd.DataFrame) -> list[str]:
    """Models from the best to the worst on validation, under the protocol of the headline.

    That is the fairest protocol with a test set. Models that only others have come last.

    Args:
        results: results.csv.
    """
    headline = [
        (math.isnan(accuracy), FAIREST.index(protocol))
        for protocol, accuracy in zip(results["protocol"], results["accuracy"], strict=True)
    ]
    ordered = results.assign(headline=headline).sort_values(
        ["headline", "validation_accuracy"], ascending=[True, False], kind="stable"
    )
    return list(ordered["model"].drop_duplicates())


def best_run(folders: list[Path]) -> Path:
    """Return the folder of the best run.

    The model is the one with the best mean validation accuracy over all runs; the run is its best
    one on the first split.

    Args:
        folders: ``results/{dataset}/runs/{split}/{model}/{seed}``, in the order of the splits.
    """
    accuracies = pd.Series(
        [read_json(folder / "metrics.json")["validation"]["accuracy"] for folder in folders],
        index=pd.MultiIndex.from_tuples([RunName.of(folder) for folder in folders]),
    )
    split = RunName.of(folders[0]).split
    model = accuracies.groupby(level=1, sort=False).agg(mean_validated).idxmax()
    seed = accuracies[split][model].idxmax()
    return folders[0].parents[2] / split / str(model) / str(seed)
