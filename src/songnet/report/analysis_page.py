"""The page on errors, confidence and artists of the best network that was trained here."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from songnet.colours import genre_colours
from songnet.data.clips import ClipSource
from songnet.data.shards import MelShards
from songnet.data.subsets import held_out, read_subsets
from songnet.evaluation import error_analysis
from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.runs import RunName
from songnet.features.metadata import metadata_fields
from songnet.formatting import credit, in_percent, percent, signed_points
from songnet.models.base import load
from songnet.report.figures import reliability_figure
from songnet.report.pages import Excerpts, spectrogram_image, write_page
from songnet.training.predict import embed_clips

SECONDS = 10.0  # shown and played of each clip
# Facts that come first, in large print.
FIGURES = (
    "top-2 accuracy",
    "errors naming another label",
    "expected calibration error",
    "confidence − accuracy",
    "nearest artist of the same genre",
)


def write_analysis(
    files: Mapping[str, Any],
    clips: ClipSource,
    evaluation: Mapping[str, Any],
    page: str | Path,
    figure: str,
) -> None:
    """Write analysis.html.

    Args:
        files: network, served, tracks, split, mel (index) and the predictions of all networks.
        clips: of the data set.
        evaluation: resamples and confidence of the intervals.
        page: output.
        figure: output, the calibration as SVG.
    """
    network, genres, entry = load(files["network"][0])
    served = load(files["served"][0]).facts
    tracks = pd.read_parquet(files["tracks"])
    subsets = read_subsets(files["split"][0])
    known = tracks.loc[subsets.index[subsets == "train"]]
    subset, tested = held_out(tracks, files["split"][0])
    runs = [
        pd.read_parquet(path)
        for path in files["predictions"]
        if RunName.of(Path(path).parent).model == entry["model"]
    ]
    predictions = pd.concat(runs).query("split == @subset")
    shards = MelShards.read(files["mel"])
    embeddings = [
        embed_clips(network, shards, rows.index.to_numpy(), metadata_fields(rows))
        for rows in (known, tested)
    ]
    bootstrap = Bootstrap(tracks["artist_id"], **evaluation)
    reliability = error_analysis.reliability(predictions, bootstrap)
    reliability_figure(reliability, figure)
    neighbours = error_analysis.nearest_artists(known, embeddings[0], tested, embeddings[1])
    artists = error_analysis.artist_errors(predictions, tracks)
    excerpts, frames = (
        Excerpts(clips, tracks["seconds"].max()),
        round(SECONDS * shards.frames_per_second),
    )
    accuracy, interval = accuracy_interval(predictions, bootstrap)
    facts = (
        {"runs": f"{len(runs)}"}
        | error_facts(predictions, tracks)
        | calibration_facts(reliability)
        | artist_facts(artists, neighbours)
    )
    write_page(
        "analysis.html",
        page,
        dataset={"title": entry["dataset_title"], "note": entry["note"]},
        network=entry,
        subset=subset,
        # One of precomputed mels cannot compute its own; another may be on a pretrained encoder.
        served=entry.get("spectrogram") is not None and served["key"] == entry["key"],
        accuracy=accuracy,
        interval=interval,
        figures={name: facts.pop(name) for name in FIGURES if name in facts},
        facts=facts,
        colours=genre_colours(genres),
        genres=error_analysis.genre_errors(predictions),
        figure=figure,
        level=evaluation["confidence"],
        artists=artists_table(artists.head(15)),
        nearest=nearest_genres(neighbours, genres),
        neighbours=neighbours_table(neighbours),
        confident_errors=[
            {
                "genre": row["genre"],
                "text": f"predicted {row['predicted']}, {percent(row['probability'], 0)}",
                "credit": credit(row),
                "image": spectrogram_image(shards.mel(row["track_id"], 0, frames)),
                "audio": excerpts.audio(row["track_id"], 0, SECONDS),
            }
            for row in error_analysis.confident_errors(predictions, tracks)
        ],
    )


def error_facts(predictions: pd.DataFrame, tracks: pd.DataFrame) -> dict[str, str]:
    """Top-2 accuracy, and how many errors name another label of the track."""
    labels = error_analysis.secondary_labels(predictions, tracks)
    share = f" ({percent(labels.excused / labels.wrong)})" if labels.wrong else ""
    pairs = ", ".join(f"{a} with {b} ({count})" for a, b, count in labels.pairs[:3])
    return {
        "top-2 accuracy": percent(error_analysis.top_accuracy(predictions, 2)),
        "predictions": f"{len(predictions):,} of {predictions['track_id'].nunique():,} tracks",
        "several labels": f"{labels.predictions:,} predictions of tracks with labels of several "
        "genres" + (f", most often {pairs}" if pairs else ""),
        "errors naming another label": f"{labels.excused:,} of {labels.wrong:,}{share}",
    }


def accuracy_interval(predictions: pd.DataFrame, bootstrap: Bootstrap) -> tuple[str, str]:
    """Accuracy and its interval, which is empty where there are too few artists."""
    table = predictions.set_index("track_id")
    right = (table["genre"] == table["predicted"]).astype(float)
    low, high = bootstrap.interval_of_enough(right)
    interval = f"{100 * bootstrap.confidence:g} % CI {in_percent(low)} to {in_percent(high)}"
    return percent(right.mean()), "" if math.isnan(low) else interval


def calibration_facts(reliability: pd.DataFrame) -> dict[str, str]:
    """Expected calibration error and its direction."""
    gap = (reliability["confidence"] - reliability["accuracy"]) @ reliability["predictions"]
    return {
        "expected calibration error": percent(error_analysis.calibration_error(reliability)),
        "confidence − accuracy": f"{signed_points(gap / reliability['predictions'].sum())} points",
    }


def artist_facts(artists: pd.DataFrame, neighbours: pd.DataFrame) -> dict[str, str]:
    """How evenly errors fall on artists, and whose nearest artist has the same genre."""
    facts = {}
    if len(artists):
        always, never = (percent((artists["accuracy"] == share).mean()) for share in (1, 0))
        facts["artists with 3 tracks or more"] = (
            f"{len(artists):,}: {always} always correct, {never} never"
        )
    nearest = neighbours[neighbours["rank"] == 1]
    if len(nearest):
        same = percent((nearest["genre"] == nearest["neighbour_genre"]).mean())
        facts["nearest artist of the same genre"] = f"{same} of {len(nearest):,} artists"
    return facts


def artists_table(artists: pd.DataFrame) -> pd.DataFrame:
    """Format `error_analysis.artist_errors`."""
    return pd.DataFrame(
        {
            "artist": artists["artist"],
            "genre": artists["genre"],
            "predicted instead": artists["mistaken_for"],
            "predictions": artists["predictions"].astype(str),
            "accuracy": artists["accuracy"].map(percent),
            "share of that error": artists["share"].map(percent),
        }
    )


def nearest_genres(neighbours: pd.DataFrame, genres: list[str]) -> list[dict[str, Any]]:
    """Genres of the nearest artists, for each genre."""
    nearest = neighbours[neighbours["rank"] == 1]
    rows = []
    for genre, group in nearest.groupby("genre"):
        counts = group["neighbour_genre"].value_counts(normalize=True)
        shares = {name: float(counts.get(name, 0.0)) for name in genres}
        rows.append(
            {"genre": genre, "shares": shares, "artists": len(group), "same": shares[str(genre)]}
        )
    return rows


def neighbours_table(neighbours: pd.DataFrame) -> pd.DataFrame:
    """Format one row for each artist (two may have one name) with the nearest ones."""
    rows = []
    for _, group in neighbours.groupby("artist_id", sort=False):
        nearest = "; ".join(
            f"{row.neighbour} ({row.neighbour_genre}, {row.cosine:.2f})"
            for row in group.itertuples()
        )
        artist, genre = group[["artist", "genre"]].iloc[0]
        rows.append({"artist": artist, "genre": genre, "nearest artists (genre, cosine)": nearest})
    return pd.DataFrame(rows)
