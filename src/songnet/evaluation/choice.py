"""Which model and run are best, by the validation subset alone."""

import math
from pathlib import Path

import pandas as pd

from songnet.evaluation.runs import FAIREST, RunName
from songnet.io import read_json


def best_validated(validated: pd.DataFrame) -> str:
    """Model of the best mean validation accuracy; of several that are equal, the first.

    Every family takes part: no model's validation accuracy has been maximised by its training.

    Args:
        validated: model, validation_accuracy, of runs or of models.
    """
    means = validated.groupby("model", sort=False)["validation_accuracy"].mean()
    return str(means.idxmax())


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
    """Best run of the model that validates best.

    It is of the model with the best mean validation accuracy over all runs, and of that model's
    runs on the first split the best one.

    Args:
        folders: ``results/{dataset}/runs/{split}/{model}/{seed}``, first split first.
    """
    accuracies = pd.Series(
        [read_json(folder / "metrics.json")["validation"]["accuracy"] for folder in folders],
        index=pd.MultiIndex.from_tuples([RunName.of(folder) for folder in folders]),
    )
    split = RunName.of(folders[0]).split
    model = accuracies.groupby(level=1, sort=False).mean().idxmax()
    seed = accuracies[split][model].idxmax()
    return folders[0].parents[2] / split / str(model) / str(seed)
