"""Which model and run are best, by the validation subset alone."""

from pathlib import Path

import pandas as pd

from songnet.evaluation.runs import RunName
from songnet.io import read_json


def best_validated(validated: pd.DataFrame) -> str:
    """Model of the best mean validation accuracy; of several that are equal, the first.

    Every family takes part: no model's validation accuracy has been maximised by its training.

    Args:
        validated: model, validation_accuracy, of runs or of models.
    """
    means = validated.groupby("model", sort=False)["validation_accuracy"].mean()
    return str(means.idxmax())


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
