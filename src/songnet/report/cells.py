"""Tables of the report, as text: each is formatted once, for results.md and the page.

Nothing here is chosen by the test set: where one model is named, validation chose it.
"""

from typing import Any

import pandas as pd

from songnet.data.subsets import judging_subset
from songnet.formatting import counted, in_percent, kind_of_reason, percent, signed, signed_points
from songnet.report.findings import Findings

NAMED = 5  # missing tracks that are named
SUBSETS = {"train": "training", "validation": "validation", "test": "test"}
MARK = "†"  # of models that read what SongNet did not compute


def legend(found: Findings) -> str:
    """Say what the cells of `results_table` hold."""
    spread = f" ± standard deviation over runs [{100 * found.confidence:g} % CI]"
    tested = found.results["accuracy"].notna().any()
    return f"Accuracy in %{spread if tested else ''}, best on validation first."


def results_table(found: Findings) -> pd.DataFrame:
    """Format every model under all protocols; columns without a figure are left out."""
    by_protocol = dict(list(found.results.groupby("protocol")))
    fairest = next(iter(found.subsets))
    compared = found.differences[found.differences["protocol"] == fairest]
    behind = compared.set_index("model").to_dict("index")
    leaks = found.leaks.set_index("model").to_dict("index")
    rows = []
    for model in found.models:
        own = {
            name: table.set_index("model").loc[model]
            for name, table in by_protocol.items()
            if model in set(table["model"])
        }
        mark = f" {MARK}" if found.models[model].get("note") else ""
        row = {"model": found.title(model) + mark}
        for protocol, subset in found.subsets.items():
            column = f"{protocol} %" + ("" if subset == "test" else " (validation)")
            row[column] = _accuracy(own[protocol]) if protocol in own else ""
        if behind:
            is_reference = model == compared["reference"].iloc[0]
            row[f"reference − model ({fairest})"] = (
                "reference" if is_reference else _change(behind.get(model), "difference")
            )
        if leaks:
            row["artist leak"] = _change(leaks.get(model), "leak")
        if fairest in own and pd.notna(own[fairest]["macro_f1"]):
            row[f"macro F1 % ({fairest})"] = in_percent(own[fairest]["macro_f1"])
        any_row = next(iter(own.values()))
        if pd.notna(any_row["poster_accuracy"]):
            belongs = found.family(model).poster_protocol
            row["poster %"] = f"{in_percent(any_row['poster_accuracy'], 2)} ({belongs})"
            if belongs in own:
                points = own[belongs]["accuracy"] - any_row["poster_accuracy"]
                row["here − poster"] = signed_points(points, 2)
        seconds = sum(line["train_seconds"] for line in own.values()) / len(own)
        row["training"] = duration(seconds)
        rows.append(row)
    table = pd.DataFrame(rows).fillna("")
    last = [name for name in ("poster %", "here − poster", "training") if name in table]
    return table[[*table.columns.drop(last), *last]]


def notes(found: Findings) -> list[str]:
    """Say what marked models read or were pretrained on."""
    return [
        f"{MARK} {found.title(model)}: {entry['note']}"
        for model, entry in found.models.items()
        if entry.get("note")
    ]


def _accuracy(row: Any) -> str:
    """54.3 ± 1.2 [50.1, 58.2], with standard deviation over runs and interval if known."""
    if pd.isna(row["accuracy"]):
        return in_percent(row["validation_accuracy"])
    spread = f" ± {in_percent(row['accuracy_sd'])}" if pd.notna(row["accuracy_sd"]) else ""
    interval = f"[{in_percent(row['ci_low'])}, {in_percent(row['ci_high'])}]"
    return f"{in_percent(row['accuracy'])}{spread} {interval}"


def _change(row: Any, column: str) -> str:
    """+9.7 [+6.1, +12.9], in points; empty for a model that was not compared."""
    if row is None:
        return ""
    return "{} [{}, {}]".format(*(signed_points(row[key]) for key in (column, "ci_low", "ci_high")))


def differences_table(found: Findings) -> pd.DataFrame:
    """Format the differences between the reference and each other model on the same test tracks."""
    return pd.DataFrame(
        {
            "protocol": row["protocol"],
            "A": found.title(row["reference"]),
            "B": found.title(row["model"]),
            "accuracy A − B": _change(row, "difference"),
            "log-loss A − B": "{} [{}, {}]".format(
                *(signed(row[f"log_loss{end}"], 3) for end in ("", "_low", "_high"))
            ),
            "splits won by A": f"{row['splits_won']} of {row['splits']}"
            + (f" ({row['splits_tied']} tied)" if row["splits_tied"] else ""),
            "pairs of runs": str(row["pairs"]),
        }
        for row in found.differences.to_dict("records")
    )


def poster_table(found: Findings) -> pd.DataFrame:
    """Compare counts with the poster's, whose baselines are fractions of FMA's 800 test tracks.

    Returns:
        Empty where another number of tracks was tested.
    """
    counts = found.confusions.query("protocol == 'official' and subset == 'test'")
    known = found.results.query("protocol == 'official'").dropna(subset="poster_accuracy")
    rows = []
    for row in known.itertuples():
        entry = found.models[str(row.model)]
        own = counts[counts["model"] == row.model]
        belongs = found.family(row.model).poster_protocol
        if belongs != "official" or own["predictions"].sum() != 800 * row.seeds:
            continue
        if entry["estimator"] == "sklearn.dummy.DummyClassifier":
            continue
        correct = own.query("genre == predicted")["predictions"].sum() / row.seeds
        expected = round(800 * row.poster_accuracy)
        rows.append(
            {
                "model": entry["title"],
                "correct of 800": f"{correct:g}",
                "poster": f"{expected}",
                "difference": f"{correct - expected:+g}".replace("-", "−"),
            }
        )
    return pd.DataFrame(rows)


def recall_table(found: Findings) -> pd.DataFrame:
    """Format the recall of each genre, the hardest one, and what its tracks are predicted as."""
    rows = []
    for protocol, subset in found.subsets.items():
        at = (found.genres["protocol"] == protocol) & (found.genres["subset"] == subset)
        for model, own in found.genres[at].groupby("model", sort=False):
            recall = own.set_index("genre")["recall"]  # missing for a genre without a track
            hardest = recall.idxmin()
            wrong = confusion_counts(found, protocol, model).loc[hardest]
            share = wrong.drop(hardest) / wrong.sum()
            if (recall == recall.min()).sum() > 1:  # several are: none is named
                share *= 0
            rows.append(
                {"protocol": protocol, "model": found.title(model)}
                | {f"{genre} %": in_percent(value, 0) for genre, value in recall.items()}
                | {
                    "hardest": str(hardest) if share.any() else "–",
                    "predicted instead": (
                        f"{share.idxmax()} ({percent(share.max(), 0)})" if share.any() else "–"
                    ),
                }
            )
    return pd.DataFrame(rows)


def confusion_counts(found: Findings, protocol: str, model: object) -> pd.DataFrame:
    """Counts of predictions over all runs, (true genre, predicted genre)."""
    rows = found.confusions
    rows = rows[(rows["protocol"] == protocol) & (rows["model"] == model)]
    rows = rows[rows["subset"] == judging_subset(rows["subset"])]
    return rows.pivot(index="genre", columns="predicted", values="predictions")


def scores_table(found: Findings, protocol: str, model: str) -> pd.DataFrame:
    """Format the scores of each genre, the hardest first."""
    rows = found.genres
    rows = rows[(rows["protocol"] == protocol) & (rows["model"] == model)]
    rows = rows[rows["subset"] == judging_subset(rows["subset"])].sort_values("recall")
    intervals = [
        "" if pd.isna(low) else f" [{in_percent(low)}, {in_percent(high)}]"
        for low, high in zip(rows["recall_low"], rows["recall_high"], strict=True)
    ]
    return pd.DataFrame(
        {
            "genre": rows["genre"],
            "recall %": rows["recall"].map(in_percent) + intervals,
            "precision %": rows["precision"].map(in_percent),
            "F1 %": rows["f1"].map(in_percent),
            "predictions": rows["predictions"].astype(str),
            "effective artists": rows["effective_artists"].map("{:.0f}".format).replace("nan", "–"),
        }
    )


def splits_table(found: Findings) -> pd.DataFrame:
    """Format the sizes of subsets, how far artists leak, and how well genres are balanced."""
    rows = []
    for name, summary in found.summaries.items():
        off = summary.get("largest_deviation")
        rows.append(
            {"split": name}
            | {
                f"{SUBSETS[subset]} tracks (artists)": f"{count:,} ({summary['artists'][subset]:,})"
                for subset, count in summary["tracks"].items()
            }
            | {
                "test tracks by training artists": percent(summary["test_tracks_by_train_artists"]),
                "without artist (training, test)": (
                    f"{summary['train_tracks_without_artist']:,}, "
                    f"{summary['test_tracks_without_artist']:,}"
                ),
                "largest deviation of a genre's share": (
                    f"{signed_points(off['points'] / 100)} points ({off['genre']}, "
                    f"{SUBSETS[off['subset']]})"
                    if off
                    else "–"
                ),
            }
        )
    return pd.DataFrame(rows)


def genre_sizes(summary: dict[str, Any]) -> pd.DataFrame:
    """Format tracks (artists) of each genre in each subset of a split."""
    tracks, artists = summary["tracks_per_genre"], summary["artists_per_genre"]
    return pd.DataFrame(
        {"genre": genre}
        | {SUBSETS[subset]: f"{size} ({artists[genre][subset]})" for subset, size in sizes.items()}
        for genre, sizes in tracks.items()
    )


def data_facts(found: Findings) -> dict[str, str]:
    """Figures of the data: usable, shortened and quarantined tracks, archives."""
    artists, lost = found.tracks["artist_id"], found.tracks["lost_seconds"]
    lost = lost[lost > 0]
    facts = {
        "usable": f"{len(artists):,} tracks by {artists.nunique():,} artists; "
        f"{artists.isna().sum():,} without an artist",
        "in quarantine": f"{len(found.quarantine):,} tracks",
    }
    if len(lost):
        facts["partly decoded"] = (
            f"{len(lost):,} tracks, {lost.sum():.1f} s missing in all, at most {lost.max():.1f} s "
            "of one (tracks.parquet, lost_seconds)"
        )
    for table in found.tables:
        missing = table["missing"]
        few = ", ".join(map(str, missing[:NAMED])) + (", …" if len(missing) > NAMED else "")
        facts[f"table {table['file']}"] = (
            f"the user's own, {table['columns']} columns, SHA-1 {table['sha1']}; "
            + (
                f"lacks {counted(len(missing), 'track')} ({few}), predicted as the mean of the "
                "training set"
                if missing
                else "has all tracks"
            )
        )
    return facts | {name: f"SHA-1 {sha1}" for name, sha1 in found.archives.items()}


def quarantine_table(found: Findings) -> pd.DataFrame:
    """Count the reasons for quarantine, most frequent first."""
    counts = found.quarantine["reason"].map(kind_of_reason).value_counts()
    return pd.DataFrame({"reason": counts.index, "tracks": counts.astype(str)})


def runtime_table(runtime: pd.DataFrame) -> pd.DataFrame:
    """Format `songnet.report.page.rule_times`, the longest first."""
    rows = runtime.iloc[::-1]
    return pd.DataFrame(
        {
            "rule": rows.index,
            "jobs": rows["jobs"].map("{:,}".format),
            "seconds in all": rows["seconds"].map("{:,.1f}".format),
            "memory of the largest job, MB": rows["peak"].map("{:,.0f}".format),
        }
    )


def duration(seconds: float) -> str:
    """A time in the unit that suits it: 0.4 s, 23 min, 3.9 h."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
