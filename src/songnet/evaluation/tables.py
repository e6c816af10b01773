"""Results tables over all runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.choice import best_validated, mean_validated
from songnet.evaluation.metrics import log_losses
from songnet.io import read_json

COLUMNS = [
    "dataset", "protocol", "model", "seeds", "accuracy", "accuracy_sd", "ci_low", "ci_high",
    "macro_f1", "poster_accuracy", "train_seconds", "splits", "validation_accuracy",
    "effective_artists",
]  # fmt: skip

POSTER_GENRES = {  # of FMA-small
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
    """Read the runs in folders ``results/{dataset}/runs/{split}/{model}/{seed}``."""
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
    """Group runs by (dataset, protocol, model), over all training and split seeds."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        key = (run.params["dataset"], run.params["protocol"], run.params["model"])
        groups.setdefault(key, []).append(run)
    return groups


def poster_applies(dataset: dict[str, Any], genres: Iterable[str]) -> bool:
    """Return whether results are comparable with the poster: same genres, real music.

    Args:
        dataset: title, source and note of the data set.
        genres: genres of the tracks.
    """
    return dataset["source"] != "synthesis" and set(genres) == POSTER_GENRES


def results_table(
    runs: list[Run], bootstrap: Bootstrap, posters: dict[str, float | None]
) -> pd.DataFrame:
    """Build the main results table, one row per protocol and model.

    Args:
        runs: runs of one data set.
        bootstrap: bootstrap over artists.
        posters: accuracy reported on the poster by model; None for models not on it.

    Returns:
        COLUMNS. The number of runs is seeds × splits. ``accuracy`` pools the test tracks of all
        runs; ``accuracy_sd`` is the standard deviation over runs. ``macro_f1`` (test),
        ``validation_accuracy`` and ``train_seconds`` (for a fusion, including its members) are
        means over runs. Test results are missing if there is no test subset.
    """
    rows = []
    for (dataset, protocol, model), group in groups(runs).items():
        row: dict[str, Any] = {
            "dataset": dataset,
            "protocol": protocol,
            "model": model,
            "seeds": len({run.params["seed"] for run in group}),
            "splits": len({run.params["split_seed"] for run in group}),
            "validation_accuracy": mean_validated(
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
    """Return the correctness (0 or 1) of the test predictions of all runs, index track_id."""
    predictions = pd.concat([run.predictions for run in runs])
    tested = predictions[predictions["split"] == "test"].set_index("track_id")
    return (tested["genre"] == tested["predicted"]).astype(float)


def leak_table(runs: list[Run], bootstrap: Bootstrap) -> pd.DataFrame:
    """Compute the artist leak: accuracy under `random` minus accuracy under `artist`.

    Args:
        runs: runs of one data set.
        bootstrap: bootstrap over artists; both protocols use the same resampled artists.

    Returns:
        One row per model tested under both protocols: model, random and artist (accuracies), leak,
        ci_low, ci_high.
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
    """Compute paired differences between a reference model and all others, on the same tracks.

    Args:
        runs: runs of one data set, all models on the same splits.
        bootstrap: bootstrap over artists and splits or, if there is only one split, over artists
            and pairs of runs.
        reference: reference model; None for the best mean validation accuracy.
        subset: subset to compare on. On validation, the table shows how certain the choice of the
            reference is.

    Returns:
        protocol, model, reference; means of reference − model over pairs of runs and tracks:
        difference (of accuracy), ci_low, ci_high, log_loss (negative favours the reference),
        log_loss_low, log_loss_high; splits_won (splits where the reference is more accurate),
        splits_tied, splits, pairs; tracks (distinct), effective_artists.
    """
    columns = [
        "protocol", "model", "reference", "difference", "ci_low", "ci_high",
        "log_loss", "log_loss_low", "log_loss_high", "splits_won", "splits_tied",
        "splits", "pairs",
        "tracks", "effective_artists",
    ]  # fmt: skip
    rows = []
    for protocol in dict.fromkeys(run.params["protocol"] for run in runs):
        group = [run for run in runs if run.params["protocol"] == protocol]
        if not all(subset in run.metrics for run in group):
            continue
        by_model = {model: model_runs for (_, _, model), model_runs in groups(group).items()}
        compared = reference or best_validated(pd.DataFrame([_validated(run) for run in group]))
        for model in by_model:
            if model == compared:
                continue
            gains = _gains(by_model[compared], by_model[model], subset)
            splits = gains.groupby("split_seed")["correct"].mean()
            # Runs on one split share their training tracks, so they are not independent.
            resampled, _ = pd.factorize(gains["split_seed" if len(splits) > 1 else "pair"])
            figures: list[float] = []
            for measure in ("correct", "log_loss"):
                interval = bootstrap.interval(gains[measure], runs=resampled)
                figures += [gains[measure].to_numpy().mean(), *interval]
            won, tied = int((splits > 0).sum()), int((splits == 0).sum())
            known = gains.index.nunique(), round(bootstrap.effective_artists(gains), 1)
            counts = won, tied, len(splits), gains["pair"].nunique(), *known
            rows.append((protocol, model, compared, *figures, *counts))
    return pd.DataFrame(rows, columns=columns)


def _gains(ones: list[Run], others: list[Run], subset: str) -> pd.DataFrame:
    """Compute the differences in correct and log_loss between two models on each track.

    Runs with the same split and seed form a pair. If a model has a single run per split, because it
    is deterministic or an ensemble of all seeds, that run is paired with every run of the other.
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
    """Return correct (0 or 1) and log_loss (nats) of each prediction, index track_id."""
    rows = run.predictions[run.predictions["split"] == subset]
    correct = (rows["genre"] == rows["predicted"]).astype(float)
    figures = {"correct": correct, "log_loss": log_losses(rows)}
    return pd.DataFrame(figures).set_index(rows["track_id"])


def _validated(run: Run) -> dict[str, Any]:
    accuracy = run.metrics["validation"]["accuracy"]
    return {"model": run.params["model"], "validation_accuracy": accuracy}
