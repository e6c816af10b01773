"""The results as a text that reads well in a terminal and on a web page."""

from typing import Any

import pandas as pd

from songnet.data.subsets import judging_part
from songnet.evaluation.tables import poster_protocol
from songnet.formatting import in_percent, percent, signed, signed_points
from songnet.report.sentences import PROTOCOLS, TOO_NARROW_BELOW

Models = dict[str, dict[str, Any]]


def results_page(
    dataset: dict[str, Any],
    models: Models,
    results: pd.DataFrame,
    differences: pd.DataFrame,
    leaks: pd.DataFrame,
    genres: pd.DataFrame,
    confusions: pd.DataFrame,
    tracks: pd.DataFrame,
    quarantine: pd.DataFrame,
    archives: dict[str, str],
    splits: dict[str, dict[str, Any]],
    confidence: float,
) -> str:
    """Write results.md.

    Args:
        dataset: title, source and note of the data set.
        models: entries of models.yaml.
        results: results.csv.
        differences: differences.csv.
        leaks: leaks.csv.
        genres: genres.csv.
        confusions: confusions.csv.
        tracks: tracks.parquet.
        quarantine: quarantine.csv.
        archives: SHA-1 of each archive.
        splits: summaries, as in splits/{split}.json.
        confidence: of the intervals.
    """
    protocols = list(dict.fromkeys(results["protocol"]))
    sections = [f"# SongNet on {dataset['title']}", *filter(None, [dataset["note"]])]
    sections += [
        f"Intervals hold {100 * confidence:g} % and are bootstrapped over artists, those of "
        "differences between models over pairs of runs, too."
    ]
    for protocol in protocols:
        sections += [f"## Protocol `{protocol}`", PROTOCOLS[protocol]]
        sections += [_accuracy_table(results[results["protocol"] == protocol], models)]
    sections += _to_the_digit(results, confusions, models)
    sections += _differences(differences, models)
    sections += _leak(leaks, models)
    sections += ["## Genres", *(_genres(p, models, genres, confusions) for p in protocols)]
    sections += ["## Data", _data(tracks, quarantine, archives), _splits(splits)]
    return "\n\n".join(sections) + "\n"


def _accuracy_table(rows: pd.DataFrame, models: Models) -> str:
    if rows["accuracy"].isna().all():
        table = [
            {
                "model": models[row.model]["title"],
                "validation accuracy %": in_percent(row.validation_accuracy),
                "runs": row.seeds * row.divisions,
            }
            for row in rows.itertuples()
        ]
        text = (
            "The data set has no test part here; this is of the validation part, which may have "
            "chosen epochs and models, so new music would find less."
        )
        return f"{text}\n\n{_table(table)}"
    belongs = rows["model"].map(lambda name: poster_protocol(models[name])) == rows["protocol"]
    comparable = (belongs & rows["poster_accuracy"].notna()).any()
    artists = rows["effective_artists"].min()
    caution = (
        f"The test tracks weigh as those of {artists:.0f} artists of equal size: of fewer than "
        f"{TOO_NARROW_BELOW}, intervals are too narrow, of differences and leaks too.\n\n"
        if artists < TOO_NARROW_BELOW
        else ""
    )
    return caution + _table(
        [
            {
                "model": models[row.model]["title"],
                "accuracy %": in_percent(row.accuracy, 2 if comparable else 1),
                "± sd": in_percent(row.accuracy_sd),
                "interval": f"[{in_percent(row.ci_low)}, {in_percent(row.ci_high)}]",
                "macro F1": in_percent(row.macro_f1),
                "runs": row.seeds * row.divisions,
                **(
                    {"poster %": _claim(row, models)}
                    if rows["poster_accuracy"].notna().any()
                    else {}
                ),
                **({"ours − poster": _beside_claim(row, models)} if comparable else {}),
                "training s": f"{row.train_seconds:.1f}",
            }
            for row in rows.itertuples()
        ]
    )


def _claim(row: Any, models: Models) -> str:
    """The poster's figure, with its protocol where that is another."""
    protocol = poster_protocol(models[row.model])
    elsewhere = pd.notna(row.poster_accuracy) and row.protocol != protocol
    return in_percent(row.poster_accuracy, 2) + (f" ({protocol})" if elsewhere else "")


def _beside_claim(row: Any, models: Models) -> str:
    if row.protocol != poster_protocol(models[row.model]):
        return ""
    return signed_points(row.accuracy - row.poster_accuracy, 2)


def _to_the_digit(results: pd.DataFrame, confusions: pd.DataFrame, models: Models) -> list[str]:
    """Counts beside the poster's: its baselines are exact fractions of FMA's 800 test tracks."""
    counts = confusions.query("protocol == 'official' and part == 'test'")
    known = results.query("protocol == 'official'").dropna(subset="poster_accuracy")
    rows = []
    for row in known.itertuples():
        entry = models[row.model]
        own = counts[counts["model"] == row.model]
        if poster_protocol(entry) != "official" or own["verdicts"].sum() != 800 * row.seeds:
            continue
        if entry["estimator"] == "sklearn.dummy.DummyClassifier":
            continue
        right = own.query("genre == predicted")["verdicts"].sum() / row.seeds
        expected = round(800 * row.poster_accuracy)
        rows.append(
            {
                "model": entry["title"],
                "right of 800": f"{right:g}",
                "the poster's": f"{expected}",
                "": "match" if right == expected else f"difference {right - expected:+g}",
            }
        )
    text = "The poster's figures are counts on FMA's 800 official test tracks."
    return ["### The poster's baselines to the digit", text, _table(rows)] if rows else []


def _differences(differences: pd.DataFrame, models: Models) -> list[str]:
    """The reference against the other models, track by track."""
    if differences.empty:
        return []
    sections = [
        "## One model against the others",
        "Accuracy of one model (the network that validates best, unless the key `reference` names "
        "another) less that of each other model, on the same test tracks. An interval that leaves "
        "zero out speaks for a real difference, on other artists and, of several pairs of runs, "
        "with other trainings (of fewer than six pairs it is too narrow where trainings differ "
        "more than artists do); of a dozen, one may well do so by chance. Log-loss is that of the "
        "true genre, in nats, where no probability counts as less than 10⁻¹²; below zero, the one "
        "model has the better probabilities.",
    ]
    for (protocol, reference), rows in differences.groupby(["protocol", "reference"], sort=False):
        table = [
            {
                f"`{protocol}`: {models[str(reference)]['title']} less": models[row.model]["title"],
                "points": signed_points(row.difference),
                "interval": f"[{signed_points(row.ci_low)}, {signed_points(row.ci_high)}]",
                "log-loss": signed(row.log_loss, 3),
                "its interval": f"[{signed(row.log_loss_low, 3)}, {signed(row.log_loss_high, 3)}]",
                "ahead in": f"{row.splits_won} of {row.splits} divisions",
                "pairs": row.pairs,
            }
            for row in rows.itertuples()
        ]
        sections.append(_table(table))
    return sections


def _leak(leaks: pd.DataFrame, models: Models) -> list[str]:
    if leaks.empty:
        return []
    rows = [
        {
            "model": models[row.model]["title"],
            "random %": in_percent(row.random),
            "artist %": in_percent(row.artist),
            "leak, points": signed_points(row.leak),
            "interval": f"[{signed_points(row.ci_low)}, {signed_points(row.ci_high)}]",
        }
        for row in leaks.itertuples()
    ]
    text = (
        "What a model gains from having heard other tracks of the test artists: accuracy under "
        "`random` less accuracy under `artist`."
    )
    return ["## The artist leak", text, _table(rows)]


def _genres(protocol: str, models: Models, genres: pd.DataFrame, confusions: pd.DataFrame) -> str:
    """Recall of each genre for every model, the hardest genre and where its tracks go."""
    part = judging_part(genres[genres["protocol"] == protocol]["part"])
    genres = genres[(genres["protocol"] == protocol) & (genres["part"] == part)]
    confusions = confusions[(confusions["protocol"] == protocol) & (confusions["part"] == part)]
    rows = []
    for model, entry in models.items():
        own = genres[genres["model"] == model].set_index("genre")
        recall = own["recall"]  # missing for a genre without a track: neither found nor missed
        hardest = str(recall.idxmin())
        counts = confusions[(confusions["model"] == model) & (confusions["genre"] == hardest)]
        goes = counts.set_index("predicted")["verdicts"]
        wrong = goes.drop(hardest)
        called = f"{wrong.idxmax()} ({percent(wrong.max() / goes.sum(), 0)})"
        rows.append(
            {"recall %": entry["title"]}
            | {genre: in_percent(value, 0) for genre, value in recall.items()}
            | {
                "hardest": hardest if wrong.any() else "–",
                "most often called": called if wrong.any() else "–",
            }
        )
    text = f"Share of each genre's tracks that a model finds, {part} part, all runs together."
    return "\n\n".join([f"### `{protocol}`", text, _table(rows)])


def _data(tracks: pd.DataFrame, quarantine: pd.DataFrame, archives: dict[str, str]) -> str:
    artists = tracks["artist_id"]
    lines = [
        f"{len(tracks)} usable tracks of {artists.nunique()} artists; {artists.isna().sum()} name "
        f"no artist. {len(quarantine)} are in `quarantine.csv`" + (":" if len(quarantine) else "."),
        "",
    ]
    reasons = quarantine["reason"].str.replace(r"[\d.]+ s,|track \d+", "…", regex=True)
    lines += [f"- {count} × {reason}" for reason, count in reasons.value_counts().items()]
    lines += ["", "Archives (SHA-1):", ""]
    lines += [f"- `{name}` {sha1}" for name, sha1 in archives.items()]
    return "\n".join(lines)


def _splits(splits: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name, summary in splits.items():
        tracks, artists = summary["tracks"], summary["artists"]
        off = summary.get("largest_deviation")
        points = signed_points(off["points"] / 100) if off else ""
        rows.append(
            {"split": name}
            | {part: f"{tracks[part]} tracks, {artists[part]} artists" for part in tracks}
            | {
                "test tracks by artists of the training part": (
                    percent(summary["test_tracks_by_train_artists"])
                ),
                "largest deviation of a genre's share": (
                    f"{points} points ({off['genre']}, {off['part']})" if off else "–"
                ),
            }
        )
    return _table(rows)


def _table(rows: list[dict[str, Any]]) -> str:
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
