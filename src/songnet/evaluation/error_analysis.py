"""Where a model errs, how sure it is of it, and whose music it mistakes for whose."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songnet.evaluation.metrics import (
    NO_INTERVAL_BELOW,
    artist_bootstrap,
    confusion_matrix,
    effective_artists,
    genre_scores,
)

# What a prediction says, without the columns of probabilities: these bear the names of genres,
# which may be those of columns that a table of tracks has.
VERDICT = ["track_id", "genre", "predicted"]

# Predictions below are rows of `songnet.models.predictions.prediction_table`, tracks of
# tracks.parquet.


def genre_errors(predictions: pd.DataFrame, genres: list[str]) -> list[dict[str, Any]]:
    """How each genre fares.

    Returns:
        One row a genre, hardest first: genre, predictions, recall, top2 (share whose two likeliest
        genres hold the right one), precision (NaN where the genre is never predicted), confidence
        (mean probability of the predicted genre), and called, the share of predictions of each
        genre.
    """
    confusion = confusion_matrix(predictions["genre"], predictions["predicted"], genres)
    scores, counts = genre_scores(confusion), confusion.sum(axis=1)
    judged = predictions.assign(
        top2=_rank_of_truth(predictions, genres) < 2, confidence=predictions[genres].max(axis=1)
    )
    means = judged.groupby("genre")[["top2", "confidence"]].mean().reindex(genres)
    shares = confusion / np.maximum(counts, 1)[:, None]
    table = pd.DataFrame(
        {
            "predictions": counts,
            "recall": scores["recall"],
            "top2": means["top2"],
            "precision": scores["precision"],
            "confidence": means["confidence"],
            "called": [dict(zip(genres, row, strict=True)) for row in shares.tolist()],
        },
        index=pd.Index(genres, name="genre"),
    )
    found = table[table["predictions"] > 0].reset_index().sort_values("recall").to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in found]


def top_accuracy(predictions: pd.DataFrame, genres: list[str], top: int) -> float:
    """Share of predictions whose ``top`` likeliest genres hold the right one."""
    return float((_rank_of_truth(predictions, genres) < top).mean())


def _rank_of_truth(predictions: pd.DataFrame, genres: list[str]) -> NDArray[np.int64]:
    """How many genres each track was thought to be rather than its own, (n,)."""
    probabilities = predictions[genres].to_numpy()
    truth = predictions["genre"].map({genre: i for i, genre in enumerate(genres)}).to_numpy()
    of_truth = probabilities[np.arange(len(truth)), truth][:, None]
    return np.asarray((probabilities > of_truth).sum(axis=1))


def reliability(
    predictions: pd.DataFrame,
    genres: list[str],
    artists: pd.Series,
    resamples: int,
    level: float,
    bins: int = 10,
) -> pd.DataFrame:
    """Accuracy against confidence, the probability of the predicted genre.

    Args:
        predictions: of the test subset.
        genres: names.
        artists: artist of each track, index track_id.
        resamples: of the bootstrap over artists.
        level: of the intervals, e.g. 0.95.
        bins: number of them.

    Returns:
        One row for each of equally wide bins of confidence that holds predictions: low, high,
        confidence and accuracy (means), predictions, and ci_low and ci_high of the accuracy, NaN
        below NO_INTERVAL_BELOW effective artists.
    """
    confidence = predictions[genres].max(axis=1)
    edges = np.linspace(0, 1, bins + 1)
    table = pd.DataFrame(
        {
            "track_id": predictions["track_id"],
            "bin": np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1),
            "confidence": confidence,
            "accuracy": (predictions["genre"] == predictions["predicted"]).astype(float),
        }
    )
    found = table.groupby("bin").agg(
        confidence=("confidence", "mean"),
        accuracy=("accuracy", "mean"),
        predictions=("bin", "size"),
    )
    found.insert(0, "low", edges[found.index])
    found.insert(1, "high", edges[found.index + 1])
    found[["ci_low", "ci_high"]] = np.nan
    for at, rows in table.groupby("bin"):
        of_tracks = artists.loc[rows["track_id"]]
        if effective_artists(of_tracks) >= NO_INTERVAL_BELOW:
            found.loc[at, ["ci_low", "ci_high"]] = artist_bootstrap(
                rows["accuracy"].to_numpy(), of_tracks, resamples, level
            )
    return found.reset_index(drop=True)


def calibration_error(reliability: pd.DataFrame) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over predictions.

    (Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3.)
    """
    gaps = (reliability["confidence"] - reliability["accuracy"]).abs()
    return float(np.average(gaps, weights=reliability["predictions"]))


def artist_errors(predictions: pd.DataFrame, tracks: pd.DataFrame, least: int = 3) -> pd.DataFrame:
    """Artists with several test tracks, those most often mistaken first.

    Args:
        predictions: of the test subset.
        tracks: of the data set.
        least: test tracks that an artist must have.

    Returns:
        artist, genre (most frequent), predictions, accuracy, called (most frequent wrong genre),
        share (of predictions that it makes).
    """
    table = predictions[VERDICT].join(tracks[["artist_id", "artist"]], on="track_id")
    rows = []
    for artist_id, group in table.dropna(subset="artist_id").groupby("artist_id"):
        if group["track_id"].nunique() < least:
            continue
        wrong = group[group["genre"] != group["predicted"]]["predicted"].value_counts()
        rows.append(
            {
                "artist": _artist_name(artist_id, group),
                "genre": group["genre"].mode()[0],
                "predictions": len(group),
                "accuracy": (group["genre"] == group["predicted"]).mean(),
                "called": wrong.index[0] if len(wrong) else "",
                "share": wrong.iloc[0] / len(group) if len(wrong) else 0.0,
            }
        )
    columns = ["artist", "genre", "predictions", "accuracy", "called", "share"]
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values(["share", "predictions"], ascending=False, ignore_index=True)


def nearest_artists(
    known: pd.DataFrame,
    known_embeddings: NDArray[np.float32],
    heard: pd.DataFrame,
    heard_embeddings: NDArray[np.float32],
    neighbours: int = 3,
) -> pd.DataFrame:
    """For each heard artist the known artists whose music is nearest in embedding space.

    An artist stands where the mean of the tracks' embeddings points; nearness is the cosine.

    Args:
        known: rows of tracks (training subset).
        known_embeddings: (len(known), H).
        heard: rows of tracks (test subset).
        heard_embeddings: (len(heard), H).
        neighbours: number of known artists for each.

    Returns:
        artist_id, artist (name), genre, neighbour (name), neighbour_genre, rank (from 1), cosine.
        No artist is its own neighbour; empty where either subset names none.
    """
    columns = ["artist_id", "artist", "genre", "neighbour", "neighbour_genre", "rank", "cosine"]
    if known["artist_id"].isna().all() or heard["artist_id"].isna().all():
        return pd.DataFrame(columns=columns)
    there, places = _artist_places(known, known_embeddings)
    here, points = _artist_places(heard, heard_embeddings)
    cosines = points @ places.T
    cosines[here["artist_id"].to_numpy()[:, None] == there["artist_id"].to_numpy()] = -np.inf
    nearest = np.argsort(-cosines, axis=1)[:, :neighbours]
    return pd.DataFrame(
        [
            {
                "artist_id": here["artist_id"].iloc[i],
                "artist": here["artist"].iloc[i],
                "genre": here["genre"].iloc[i],
                "neighbour": there["artist"].iloc[j],
                "neighbour_genre": there["genre"].iloc[j],
                "rank": rank,
                "cosine": float(cosines[i, j]),
            }
            for i, row in enumerate(nearest)
            for rank, j in enumerate(row, start=1)
            if np.isfinite(cosines[i, j])
        ],
        columns=columns,
    )


def _artist_places(
    tracks: pd.DataFrame, embeddings: NDArray[np.float32]
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Artist, name, most frequent genre and mean direction of each."""
    groups = list(tracks.assign(row=np.arange(len(tracks))).groupby("artist_id"))
    names = pd.DataFrame(
        [
            {
                "artist_id": artist_id,
                "artist": _artist_name(artist_id, group),
                "genre": group["genre"].mode()[0],
            }
            for artist_id, group in groups
        ]
    )
    means = np.array([embeddings[group["row"]].mean(axis=0) for _, group in groups], np.float64)
    return names, means / np.linalg.norm(means, axis=1, keepdims=True)


def _artist_name(artist_id: float | str, tracks: pd.DataFrame) -> str:
    name = tracks["artist"].iloc[0]
    if isinstance(name, str):
        return name
    return artist_id if isinstance(artist_id, str) else f"artist {artist_id:.0f}"


class SecondaryLabels(NamedTuple):
    """What FMA's further labels of a track (``genres_all``) say about the errors."""

    predictions: int  # on tracks with labels of several of the genres
    wrong: int
    excused: int  # wrong ones whose genre is among the track's further labels
    pairs: list[tuple[str, str, int]]  # genre, further label, predictions; most frequent first


def secondary_labels(
    predictions: pd.DataFrame, tracks: pd.DataFrame, genres: list[str]
) -> SecondaryLabels:
    """Compare predictions with all labels that a track bears."""
    table = predictions[VERDICT].join(tracks["top_genres"], on="track_id")
    labels = [set(row) if row is not None else set() for row in table["top_genres"]]
    others = [
        (row & set(genres)) - {genre} for row, genre in zip(labels, table["genre"], strict=True)
    ]
    wrong = (table["genre"] != table["predicted"]).to_numpy()
    excused = [p in other for p, other in zip(table["predicted"], others, strict=True)]
    counts = pd.Series(
        [(genre, label) for genre, other in zip(table["genre"], others, strict=True)
         for label in sorted(other)], dtype=object,
    ).value_counts()  # fmt: skip
    pairs = [(genre, label, int(count)) for (genre, label), count in counts.items()]
    return SecondaryLabels(
        sum(map(bool, others)), int(wrong.sum()), int((wrong & np.array(excused)).sum()), pairs
    )


def surely_wrong(
    predictions: pd.DataFrame, tracks: pd.DataFrame, genres: list[str], count: int = 20
) -> list[dict[str, Any]]:
    """The tracks whose wrong predictions are the most probable, in the mean over runs.

    Returns:
        track_id, artist, title, license, genre, predicted, probability.
    """
    means = predictions.groupby(["track_id", "genre"])[genres].mean()
    table = means.assign(predicted=means.idxmax(axis=1), probability=means.max(axis=1))
    table = table.reset_index()[[*VERDICT, "probability"]]
    table = table.query("genre != predicted").nlargest(count, "probability")
    table = table.join(tracks[["artist", "title", "license"]], on="track_id")
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
