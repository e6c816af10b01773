"""The analysis as sentences and tables; every sentence follows from the figures."""

import math
from typing import Any

import pandas as pd

from songnet.colours import genre_colours
from songnet.evaluation import error_analysis
from songnet.evaluation.error_analysis import SecondaryLabels, calibration_error
from songnet.formatting import percent


def page_values(
    predictions: pd.DataFrame,
    genres: list[str],
    tracks: pd.DataFrame,
    reliability: pd.DataFrame,
    neighbours: pd.DataFrame,
) -> dict[str, Any]:
    """What analysis.html says of the verdicts on one part, by all runs of a network.

    Args:
        predictions: tables of the runs below each other, of that part alone.
        genres: names of the network's labels.
        tracks: tracks.parquet.
        reliability: from `error_analysis.reliability`.
        neighbours: from `error_analysis.nearest_artists`.
    """
    rows = error_analysis.genre_errors(predictions, genres)
    artists = error_analysis.artist_errors(predictions, tracks)
    return {
        "verdicts": len(predictions),
        "tracks": predictions["track_id"].nunique(),
        "accuracy": (predictions["genre"] == predictions["predicted"]).mean(),
        "top2": error_analysis.top_accuracy(predictions, genres, 2),
        "colours": genre_colours(genres),
        "genres": rows,
        "genre_text": genre_text(rows),
        "calibration_text": calibration_text(reliability),
        "labels_text": labels_text(error_analysis.secondary_labels(predictions, tracks, genres)),
        "artists_text": artists_text(artists),
        "artists": artists.head(15).to_dict("records"),
        "neighbours_text": neighbours_text(neighbours),
        "neighbour_genres": neighbour_genres(neighbours, genres),
        "neighbours": neighbour_rows(neighbours),
    }


def genre_text(rows: list[dict[str, Any]]) -> str:
    """What happens to the two hardest genres, and which is the easiest.

    Args:
        rows: from `error_analysis.genre_errors`.
    """
    sentences = []
    for row in rows[:2]:
        wrong = {genre: share for genre, share in row["called"].items() if genre != row["genre"]}
        called = sorted((genre for genre in wrong if wrong[genre]), key=lambda g: -wrong[g])[:2]
        text = (
            f"{row['genre']} is found in {percent(row['recall'])} of its tracks "
            f"({percent(row['top2'])} among the two likeliest genres)"
        )
        if called:
            most = " and ".join(f"{genre} ({percent(wrong[genre])})" for genre in called)
            text += f"; its other tracks are called {most} most often"
        if math.isnan(row["precision"]):
            text += f". Nothing is called {row['genre']}."
        else:
            text += f". Of what is called {row['genre']}, {percent(row['precision'])} is."
        sentences.append(text)
    easiest = rows[-1]
    sentences.append(f"The easiest genre is {easiest['genre']}, {percent(easiest['recall'])}.")
    return " ".join(sentences)


def calibration_text(reliability: pd.DataFrame) -> str:
    """Whether the probabilities can be taken at their word."""
    gap = (reliability["confidence"] - reliability["accuracy"]) @ reliability["verdicts"]
    gap /= reliability["verdicts"].sum()
    error = calibration_error(reliability)
    lean = "too sure" if gap > 0 else "not sure enough"
    text = f"The expected calibration error is {percent(error)}: "
    if error < 0.05:
        return text + "a verdict of probability p is right in nearly a share p of the cases."
    return text + f"on the whole the network is {lean} of itself, by {percent(abs(gap))}."


def labels_text(labels: SecondaryLabels) -> str:
    """How many errors name a label that the track also bears."""
    if not labels.verdicts:
        return "No track bears labels of more than one of these genres, so nothing can be said."
    pairs = ", ".join(f"{a} with {b} ({count})" for a, b, count in labels.pairs[:3])
    share = labels.excused / labels.wrong if labels.wrong else 0.0
    return (
        f"{labels.verdicts} verdicts are on tracks that bear labels of several of these genres, "
        f"most often {pairs}. Of {labels.wrong} wrong verdicts {labels.excused} ({percent(share)}) "
        "name a genre that the track also bears."
    )


def artists_text(artists: pd.DataFrame) -> str:
    """How evenly the errors fall on artists."""
    if artists.empty:
        return "No artist has three tracks or more, so nothing can be said."
    always, never = (artists["accuracy"] == 1).mean(), (artists["accuracy"] == 0).mean()
    return (
        f"Of {len(artists)} artists with three tracks or more, {percent(always)} are always found "
        f"and {percent(never)} never. Tracks of one artist need not be right or wrong by "
        "themselves, which is why the intervals of the results table resample artists."
    )


def neighbour_genres(neighbours: pd.DataFrame, genres: list[str]) -> list[dict[str, Any]]:
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


def neighbours_text(neighbours: pd.DataFrame) -> str:
    """How often the nearest artist plays the same genre."""
    nearest = neighbours[neighbours["rank"] == 1]
    if nearest.empty:
        return "No artist is known, so nothing can be said."
    same = (nearest["genre"] == nearest["neighbour_genre"]).mean()
    return (
        "Where the network places an artist: the mean direction of the tracks in the space of what "
        f"its last layer reads. For {percent(same)} of {len(nearest)} artists the nearest artist "
        "that it was trained on plays the same genre."
    )


def neighbour_rows(neighbours: pd.DataFrame) -> list[dict[str, str]]:
    """One row an artist (two may have one name), its nearest artists as a text."""
    rows = []
    for _, group in neighbours.groupby("artist_id", sort=False):
        nearest = "; ".join(
            f"{row.neighbour} ({row.neighbour_genre}, {row.cosine:.2f})"
            for row in group.itertuples()
        )
        artist, genre = group[["artist", "genre"]].iloc[0]
        rows.append({"artist": artist, "genre": genre, "nearest": nearest})
    return rows
