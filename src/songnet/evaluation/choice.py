"""Selection of the best model and run by validation accuracy."""

from pathlib import Path

import pandas as pd

from songnet.evaluation.runs import RunName
from songnet.io import read_json


def best_validated(validated: pd.DataFrame) -> str:
    """Return the model with the best mean validation accuracy, the first one of a tie.

    All families are comparable, since no training maximises validation accuracy directly.

    Args:
        validated: columns model and validation_accuracy, one row per run or model.
    """
    means = validated.groupby("model", sort=False)["validation_accuracy"].mean()
    return str(means.idxmax())


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
    model = accuracies.groupby(level=1, sort=False).mean().idxmax()
    seed = accuracies[split][model].idxmax()
    return folders[0].parents[2] / split / str(model) / str(seed)
