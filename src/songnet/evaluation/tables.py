"""From single runs to the results tables."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.choice import best_validated
from songnet.evaluation.metrics import log_losses
from songnet.io import read_json

COLUMNS = [
    "dataset", "protocol", "model", "seeds", "accuracy", "accuracy_sd", "ci_low", "ci_high",
    "macro_f1", "poster_accuracy", "train_seconds", "splits", "validation_accuracy",
    "effective_artists",
]  # fmt: skip

POSTER_GENRES = {  # FMA-small's
    "Electronic", "Experimental", "Folk", "Hip-Hop", "Instrumental", "International", "Pop", "Rock",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """The files of one run."""

    params: dict[str, Any]
    metrics: dict[str, Any]
    predictions: pd.DataFrame
    history: pd.DataFrame


def read_runs(folders: list[Path]) -> list[Run]:
    """Read ``results/{dataset}/runs/{split}/{model}/{seed}`` folders."""
    return [
        Run(
            read_json(folder / "params.json"),
            read_json(folder / "metrics.json"),
            pd.read_parquet(folder / "predictions.parquet"),
            pd.read_csv(folder / "history.csv"),
        )
        for folder in folders
    ]


def groups(runs: list[Run]) -> dict[tuple[str, str, str], list[Run]]:
    """Runs of each (dataset, protocol, model), over all training and split seeds."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        key = (run.params["dataset"], run.params["protocol"], run.params["model"])
        groups.setdefault(key, []).append(run)
    return groups


def poster_applies(dataset: dict[str, Any], genres: Iterable[str]) -> bool:
    """Whether the poster's figures say anything here: of other genres or synthetic music, nothing.

    Args:
        dataset: title, source and note of the data set.
        genres: of the tracks.
    """
    return dataset["source"] != "synthesis" and set(genres) == POSTER_GENRES


def results_table(
    runs: list[Run], bootstrap: Bootstrap, posters: dict[str, float | None]
) -> pd.DataFrame:
    """One row for each protocol and model.

    Args:
        runs: of one data set.
        bootstrap: over artists.
        posters: the poster's accuracy of each model that it has.

    Returns:
        COLUMNS: training seeds and splits, which make as many runs as their product; accuracy
        over the test tracks of all runs, its standard deviation over runs and its interval; means
        over runs of macro F1 on the test subset, seconds of training (of a fusion: of all that it
        fuses) and accuracy on the validation subset; `effective_artists` of the test tracks.
        Figures of the test subset are missing where the data set has none.
    """
    rows = []
    for (dataset, protocol, model), group in groups(runs).items():
        row: dict[str, Any] = {
            "dataset": dataset,
            "protocol": protocol,
            "model": model,
            "seeds": len({run.params["seed"] for run in group}),
            "splits": len({run.params["split_seed"] for run in group}),
            "validation_accuracy": np.mean(
                [run.metrics["validation"]["accuracy"] for run in group]
            ),
        }
        tests = [run.metrics["test"] for run in group if "test" in run.metrics]
        if tests:
            accuracies = [test["accuracy"] for test in tests]
            row["accuracy_sd"] = np.std(accuracies, ddof=1) if len(tests) > 1 else None
            correct = _tested(group)
            row["accuracy"] = correct.mean()
            row["ci_low"], row["ci_high"] = bootstrap.interval(correct)
            row["effective_artists"] = round(bootstrap.effective_artists(correct), 1)
            row["macro_f1"] = np.mean([test["macro_f1"] for test in tests])
        row["poster_accuracy"] = posters.get(model)
        row["train_seconds"] = round(np.mean([run.history["seconds"].sum() for run in group]), 3)
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _tested(runs: list[Run]) -> pd.Series:
    """1 where a test track is predicted correctly, else 0, of all runs; index track_id."""
    predictions = pd.concat([run.predictions for run in runs])
    tested = predictions[predictions["split"] == "test"].set_index("track_id")
    return (tested["genre"] == tested["predicted"]).astype(float)


def leak_table(runs: list[Run], bootstrap: Bootstrap) -> pd.DataFrame:
    """What models gain under `random` over `artist`, where training has the test artists.

    Args:
        runs: of one data set.
        bootstrap: over artists, drawn for both protocols at once.

    Returns:
        model, those tested under both protocols: random, artist (accuracies), leak, ci_low,
        ci_high.
    """
    found = {(protocol, model): group for (_, protocol, model), group in groups(runs).items()}
    rows = []
    for model in dict.fromkeys(run.params["model"] for run in runs):
        if not {("random", model), ("artist", model)} <= set(found):
            continue
        random, artist = (_tested(found[protocol, model]) for protocol in ("random", "artist"))
        both = pd.concat([random, artist])
        interval = bootstrap.interval(both, subtracted=np.arange(len(both)) >= len(random))
        rows.append((model, random.mean(), artist.mean(), random.mean() - artist.mean(), *interval))
    return pd.DataFrame(rows, columns=["model", "random", "artist", "leak", "ci_low", "ci_high"])


def difference_table(
    runs: list[Run], bootstrap: Bootstrap, reference: str | None = None, subset: str = "test"
) -> pd.DataFrame:
    """Compare models on the same tracks: a paired difference says more than two intervals.

    Args:
        runs: of one data set, all models on the same splits.
        bootstrap: over artists and, where there are several, pairs of runs.
        reference: model to compare with; None for that of the best mean validation accuracy.
        subset: of the tracks. On validation, where the reference was the best of many, it is how
            sure the choice was.

    Returns:
        protocol, model, reference; of reference − model, the means over pairs of runs and tracks:
        difference of accuracy, ci_low, ci_high, log_loss (lower is better),
        log_loss_low, log_loss_high; splits_won (by the reference's accuracy), splits, pairs;
        tracks, each counted once, and effective_artists.
    """
    columns = [
        "protocol", "model", "reference", "difference", "ci_low", "ci_high",
        "log_loss", "log_loss_low", "log_loss_high", "splits_won", "splits", "pairs",
        "tracks", "effective_artists",
    ]  # fmt: skip
    rows = []
    for protocol in dict.fromkeys(run.params["protocol"] for run in runs):
        group = [run for run in runs if run.params["protocol"] == protocol]
        if not all(subset in run.metrics for run in group):
            continue
        by_model = {key[2]: its_runs for key, its_runs in groups(group).items()}
        compared = reference or best_validated(pd.DataFrame([_validated(run) for run in group]))
        for model in by_model:
            if model == compared:
                continue
            gains = _gains(by_model[compared], by_model[model], subset)
            pair = gains["pair"].to_numpy()
            figures: list[float] = []
            for measure in ("correct", "log_loss"):
                interval = bootstrap.interval(gains[measure], runs=pair)
                figures += [gains[measure].to_numpy().mean(), *interval]
            splits = gains.groupby("split_seed")["correct"].mean()
            won = int((splits > 0).sum())
            known = gains.index.nunique(), round(bootstrap.effective_artists(gains), 1)
            counts = won, len(splits), pair[-1] + 1, *known
            rows.append((protocol, model, compared, *figures, *counts))
    return pd.DataFrame(rows, columns=columns)


def _gains(ones: list[Run], others: list[Run], subset: str) -> pd.DataFrame:
    """What runs of one model have over those of another on each track: correct, log_loss.

    Runs of one split and seed are a pair; where a model has one run on a split, as without
    random numbers or as an ensemble of all seeds, it is paired with each of the other's.
    """
    single = min(len({run.params["seed"] for run in model}) for model in (ones, others)) == 1
    pairs = [
        (one, other)
        for one in ones
        for other in others
        if one.params["split_seed"] == other.params["split_seed"]
        and (single or one.params["seed"] == other.params["seed"])
    ]
    return pd.concat(
        (_outcomes(one, subset) - _outcomes(other, subset)).assign(
            pair=i, split_seed=one.params["split_seed"]
        )
        for i, (one, other) in enumerate(pairs)
    )


def _outcomes(run: Run, subset: str) -> pd.DataFrame:
    """Of each track, index track_id: correct (0 or 1) and log_loss, the truth's in nats."""
    rows = run.predictions[run.predictions["split"] == subset]
    correct = (rows["genre"] == rows["predicted"]).astype(float)
    figures = {"correct": correct, "log_loss": log_losses(rows)}
    return pd.DataFrame(figures).set_index(rows["track_id"])


def _validated(run: Run) -> dict[str, Any]:
    accuracy = run.metrics["validation"]["accuracy"]
    return {"model": run.params["model"], "validation_accuracy": accuracy}
