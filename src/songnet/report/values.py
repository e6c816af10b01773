"""What the report shows, as plain values: tables of a run in, lists and numbers out.

Nothing here is chosen by the test part: where the report names one model, validation chose it, or
the key `reference` of config.yaml.
"""

from typing import Any

import numpy as np
import pandas as pd

from songnet.data.subsets import judging_part
from songnet.evaluation.metrics import effective_artists
from songnet.evaluation.runs import FAIREST, RunName, protocol_of
from songnet.evaluation.tables import best_validated, poster_protocol

Models = dict[str, dict[str, Any]]
Values = dict[str, Any]


def shown_parts(confusions: pd.DataFrame) -> dict[str, str]:
    """Part of each protocol that the report shows: test, or validation where there is no test.

    Args:
        confusions: confusions.csv.

    Returns:
        The fairest protocol first, those without a test part last.
    """
    parts = {
        protocol: judging_part(rows["part"])
        for protocol, rows in confusions.groupby("protocol", sort=False)
    }
    return dict(sorted(parts.items(), key=lambda item: (item[1], FAIREST.index(str(item[0])))))


def _of_protocol(results: pd.DataFrame, models: Models, protocol: str) -> pd.DataFrame:
    """Rows of results.csv of one protocol, with the family of each model."""
    rows = results[results["protocol"] == protocol]
    return rows.assign(family=[models[name]["family"] for name in rows["model"]])


def chosen_model(
    results: pd.DataFrame,
    differences: pd.DataFrame,
    models: Models,
    protocol: str,
    reference: str | None,
) -> str:
    """Model that the headline is about: the reference, or the network that validates best.

    Args:
        results: results.csv.
        differences: differences.csv; empty without a test part.
        models: entries of models.yaml.
        protocol: of the split.
        reference: key of config.yaml.
    """
    compared = differences.loc[differences["protocol"] == protocol, "reference"]
    if reference or len(compared):
        return str(reference or compared.iloc[0])
    return best_validated(_of_protocol(results, models, protocol))


def best_baseline(results: pd.DataFrame, models: Models, protocol: str) -> str | None:
    """Baseline of the best validation accuracy; None where no baseline ran."""
    rows = _of_protocol(results, models, protocol)
    baselines = rows[rows["family"] == "baseline"]
    return best_validated(baselines) if len(baselines) else None


def headline(
    results: pd.DataFrame,
    differences: pd.DataFrame,
    leaks: pd.DataFrame,
    confusions: pd.DataFrame,
    models: Models,
    tracks: pd.DataFrame,
    splits: dict[str, pd.Series],
    reference: str | None = None,
) -> Values:
    """The figures of the first lines.

    Args:
        results: results.csv.
        differences: differences.csv.
        leaks: leaks.csv.
        confusions: confusions.csv.
        models: entries of models.yaml.
        tracks: tracks.parquet, index track_id.
        splits: part of each track, index track_id, by the name of the split.
        reference: key of config.yaml.

    Returns:
        protocol, part, model, accuracy and its interval (None without a test part), runs, guess
        (accuracy of guessing), largest (share of the largest genre), divisions, tracks and artists
        of the part (each once, however many divisions it is in), effective_artists (of all
        divisions), unnamed (tracks that name no artist); baseline, its
        accuracy, the difference to it with an interval (None where nothing is compared) and the
        pairs of runs that were compared; leak
        with its interval (None where `random` and `artist` were not both measured).
    """
    protocol, part = next(iter(shown_parts(confusions).items()))
    model = chosen_model(results, differences, models, protocol, reference)
    baseline = best_baseline(results, models, protocol)
    rows = results[results["protocol"] == protocol].set_index("model")
    accuracy = rows["accuracy" if part == "test" else "validation_accuracy"].astype(float)
    row = rows.loc[model]
    judged = [
        parts.index[parts == part]
        for name, parts in splits.items()
        if protocol_of(name) == protocol
    ]
    everywhere = judged[0].append(judged[1:])
    once = tracks.loc[everywhere.unique()]
    found: Values = {
        "protocol": protocol,
        "part": part,
        "model": model,
        "accuracy": float(accuracy[model]),
        "ci_low": _number(row["ci_low"]),
        "ci_high": _number(row["ci_high"]),
        "runs": int(row["seeds"] * row["divisions"]),
        "guess": 1 / confusions["genre"].nunique(),
        "largest": float(once["genre"].value_counts(normalize=True).iloc[0]),
        "divisions": len(judged),
        "tracks": len(once),
        "artists": int(once["artist_id"].nunique()),
        "unnamed": int(once["artist_id"].isna().sum()),
        "effective_artists": effective_artists(tracks.loc[everywhere, "artist_id"]),
        "baseline": None if baseline in (None, model) else baseline,
        "difference": None,
        "leak": _leaks(leaks).get(model),
    }
    if found["baseline"]:
        found["baseline_accuracy"] = float(accuracy[baseline])
        compared = differences[
            (differences["protocol"] == protocol) & (differences["model"] == baseline)
        ]
        if len(compared):
            columns = ["difference", "ci_low", "ci_high"]
            found["difference"] = compared.iloc[0][columns].astype(float).tolist()
            found["pairs"] = int(compared.iloc[0]["pairs"])
    return found


def poster_claim(results: pd.DataFrame, models: Models, protocol: str) -> Values | None:
    """The best figure of the poster beside ours, of the same model.

    Args:
        results: results.csv.
        models: entries of models.yaml.
        protocol: the fairest one.

    Returns:
        model, claimed, protocol (that the claim belongs to), and accuracies, ours under each
        protocol, the fairest first. None where no model of the poster's was judged under it.
    """
    known = results.dropna(subset=["poster_accuracy", "accuracy"])
    fairest = known[known["protocol"] == protocol]
    if fairest.empty:
        return None
    best = fairest.sort_values("poster_accuracy").iloc[-1]
    ours = known[known["model"] == best["model"]].set_index("protocol")["accuracy"]
    return {
        "model": models[best["model"]]["title"],
        "claimed": float(best["poster_accuracy"]),
        "protocol": poster_protocol(models[best["model"]]),
        "accuracies": {protocol: float(ours[protocol])} | ours.astype(float).to_dict(),
    }


def _leaks(leaks: pd.DataFrame) -> dict[str, list[float]]:
    """Leak of each model that has one, with its interval."""
    figures = leaks[["leak", "ci_low", "ci_high"]].astype(float).to_numpy().tolist()
    return dict(zip(leaks["model"], figures, strict=True))


def result_rows(
    results: pd.DataFrame,
    differences: pd.DataFrame,
    leaks: pd.DataFrame,
    models: Models,
    protocol: str,
) -> list[Values]:
    """One row a model, in the order of models.yaml.

    Args:
        results: results.csv.
        differences: differences.csv.
        leaks: leaks.csv.
        models: entries of models.yaml.
        protocol: whose differences count.

    Returns:
        model, title, protocols (for each: accuracy, ci_low, ci_high, accuracy_sd,
        macro_f1, validation_accuracy), difference (the reference less this model) and leak with
        their intervals, poster, poster_protocol (that it belongs to), train_seconds (mean over
        protocols). Missing figures are None.
    """
    leak = _leaks(leaks)
    figures = ["accuracy", "ci_low", "ci_high", "accuracy_sd", "macro_f1", "validation_accuracy"]
    compared = differences[differences["protocol"] == protocol].set_index("model")
    behind = compared[["difference", "ci_low", "ci_high"]].astype(float)
    rows = []
    for name in (name for name in models if name in set(results["model"])):
        own = results[results["model"] == name].set_index("protocol")
        rows.append(
            {
                "model": name,
                "title": models[name]["title"],
                "protocols": {
                    protocol: {figure: _number(row[figure]) for figure in figures}
                    for protocol, row in own.iterrows()
                },
                "difference": behind.loc[name].tolist() if name in behind.index else None,
                "leak": leak.get(name),
                "poster": _number(own["poster_accuracy"].iloc[0]),
                "poster_protocol": poster_protocol(models[name]),
                "train_seconds": float(own["train_seconds"].mean()),
            }
        )
    return rows


def genre_values(
    confusions: pd.DataFrame, genres: pd.DataFrame, parts: dict[str, str]
) -> dict[str, dict[str, Values]]:
    """Confusions and scores by genre for each protocol and model.

    Args:
        confusions: confusions.csv.
        genres: genres.csv.
        parts: from `shown_parts`.

    Returns:
        counts (true, predicted), precision, recall and its interval, f1, verdicts and
        effective_artists (a list over genres in alphabetical order), summed over runs; None where
        there is nothing to be said.
    """
    names = sorted(confusions["genre"].unique())
    intervals = ["recall_low", "recall_high", "effective_artists"]
    values: dict[str, dict[str, Values]] = {}
    for protocol, part in parts.items():
        values[protocol] = {}
        shown = confusions[(confusions["protocol"] == protocol) & (confusions["part"] == part)]
        scores = genres[(genres["protocol"] == protocol) & (genres["part"] == part)]
        for model, rows in shown.groupby("model", sort=False):
            matrix = rows.pivot(index="genre", columns="predicted", values="verdicts")
            own = scores[scores["model"] == model].set_index("genre").loc[names]
            values[protocol][str(model)] = {
                "counts": matrix.loc[names, names].to_numpy().tolist(),
                **{
                    score: [_number(value) for value in own[score].astype(float).round(6)]
                    for score in ("precision", *intervals, "recall", "f1")
                },
                "verdicts": own["verdicts"].astype(int).tolist(),
            }
    return values


def curves(histories: dict[RunName, pd.DataFrame]) -> list[Values]:
    """Training curves, one for each run of a network.

    Args:
        histories: history.csv of each run.
    """
    columns = ["epoch", "kept", "train_loss", "validation_loss", "validation_accuracy"]
    return [
        {"split": split, "protocol": protocol_of(split), "model": model, "seed": seed}
        | {column: history[column].round(6).tolist() for column in columns}
        for (split, model, seed), history in histories.items()
    ]


def heard_lines(heard: pd.DataFrame) -> list[Values]:
    """Accuracy against seconds heard, with its interval, of each network.

    Args:
        heard: heard.csv.
    """
    figures = ["accuracy", "ci_low", "ci_high"]
    return [
        {"protocol": protocol, "model": model, "part": rows["part"].iloc[0]}
        | {"seconds": rows["seconds"].tolist()}
        | {name: rows[name].round(6).tolist() for name in figures}
        for (protocol, model), rows in heard.groupby(["protocol", "model"], sort=False)
    ]


def provenance(records: list[Values]) -> Values:
    """Commits and versions behind the runs; more than one where runs are of different ages.

    Args:
        records: params.json of each run.

    Returns:
        commits, and for each library the versions.
    """
    names = list(dict.fromkeys(name for record in records for name in record["versions"]))
    return {
        "commits": sorted({record["commit"] for record in records} - {""}),
        "versions": {
            name: sorted(
                {record["versions"][name] for record in records if name in record["versions"]}
            )
            for name in names
        },
    }


def _number(value: Any) -> float | None:
    """A number, None where it is missing: JSON knows no NaN."""
    return None if value is None or np.isnan(value) else float(value)
