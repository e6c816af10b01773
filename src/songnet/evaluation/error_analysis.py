"""Error analysis: scores per genre, calibration, artists and labels.

Predictions are rows of `songnet.models.predictions.prediction_table`, tracks are rows of
tracks.parquet.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.metrics import genre_scores, truth_probabilities
from songnet.models.predictions import genres_of

# Columns of a prediction except its probabilities, whose names may clash with those of tracks.
PREDICTION = ["track_id", "genre", "predicted"]


def genre_errors(predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """Compute the scores and confusions of each genre.

    Returns:
        One row per genre, lowest recall first: genre, precision (NaN if the genre is never
        predicted), recall, f1, predictions, top2 (top-2 accuracy), confidence (mean probability of
        the predicted genre), and shares (fraction of its predictions for each genre).
    """
    genres = genres_of(predictions)
    truth, predicted = predictions["genre"], predictions["predicted"]
    top2, confidence = _rank_of_truth(predictions) < 2, predictions[genres].max(axis=1)
    means = pd.DataFrame({"top2": top2, "confidence": confidence}).groupby(truth).mean()
    shares = pd.crosstab(truth, predicted, normalize="index").reindex(columns=genres, fill_value=0)
    table = genre_scores(truth, predicted, genres).join(means, how="inner")
    rows = table.sort_values("recall").reset_index().to_dict("records")
    return [{**row, "shares": shares.loc[row["genre"]].to_dict()} for row in rows]


def top_accuracy(predictions: pd.DataFrame, top: int) -> float:
    """Compute the top-k accuracy, with k = ``top``."""
    return float((_rank_of_truth(predictions) < top).mean())


def _rank_of_truth(predictions: pd.DataFrame) -> pd.Series:
    """Count the genres that are more probable than the true one, (n,)."""
    probabilities = predictions[genres_of(predictions)]
    return probabilities.gt(truth_probabilities(predictions), axis=0).sum(axis=1)


def reliability(predictions: pd.DataFrame, bootstrap: Bootstrap, bins: int = 10) -> pd.DataFrame:
    """Compute accuracy by confidence, the probability of the predicted genre.

    Args:
        predictions: predictions on the test subset.
        bootstrap: bootstrap over artists.
        bins: number of equally wide bins of confidence.

    Returns:
        One row per non-empty bin: low, high, confidence and accuracy (means), predictions, and
        ci_low and ci_high of the accuracy from `Bootstrap.interval_of_enough`.
    """
    table = pd.DataFrame(
        {
            "confidence": predictions[genres_of(predictions)]
            .max(axis=1)
            .clip(upper=1)
            .astype(float),
            "correct": (predictions["genre"] == predictions["predicted"]).astype(float),
        }
    ).set_axis(predictions["track_id"])
    rows = []
    edges = np.linspace(0, 1, bins + 1)
    for between, group in table.groupby(pd.cut(table["confidence"], edges), observed=True):
        interval = bootstrap.interval_of_enough(group["correct"])
        rows.append((between.left, between.right, *group.mean(), len(group), *interval))
    columns = ["low", "high", "confidence", "accuracy", "predictions", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns)


def calibration_error(reliability: pd.DataFrame) -> float:
    """Compute the expected calibration error, the mean gap between confidence and accuracy.

    (Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3.)

    Args:
        reliability: table from `reliability`.
    """
    gaps = (reliability["confidence"] - reliability["accuracy"]).abs()
    return float(np.average(gaps, weights=reliability["predictions"]))


def artist_errors(
    predictions: pd.DataFrame, tracks: pd.DataFrame, min_tracks: int = 3
) -> pd.DataFrame:
    """List artists with several test tracks, most frequently confused first.

    Args:
        predictions: predictions on the test subset.
        tracks: tracks of the data set.
        min_tracks: minimum number of test tracks of an artist.

    Returns:
        artist, genre (most frequent), predictions, accuracy, mistaken_for (most frequent wrong
        genre), share (fraction of predictions for that genre).
    """
    artists = tracks[["artist_id"]].assign(artist=_artist_names(tracks))
    table = predictions[PREDICTION].join(artists, on="track_id")
    rows = []
    for _, group in table.groupby("artist_id"):
        if group["track_id"].nunique() < min_tracks:
            continue
        right = group["genre"] == group["predicted"]
        wrong = group["predicted"][~right].value_counts()
        mistake = (wrong.index[0], wrong.iloc[0] / len(group)) if len(wrong) else ("", 0.0)
        name, genre = group["artist"].iloc[0], group["genre"].mode()[0]
        rows.append((name, genre, len(group), right.mean(), *mistake))
    columns = ["artist", "genre", "predictions", "accuracy", "mistaken_for", "share"]
    found = pd.DataFrame(rows, columns=columns)
    return found.sort_values(["share", "predictions"], ascending=False, ignore_index=True)


def nearest_artists(
    known: pd.DataFrame,
    known_embeddings: NDArray[np.float32],
    tested: pd.DataFrame,
    tested_embeddings: NDArray[np.float32],
    neighbours: int = 3,
) -> pd.DataFrame:
    """Find the training artists closest to each test artist by cosine similarity.

    The embedding of an artist is the mean over the artist's tracks.

    Args:
        known: tracks of the training subset.
        known_embeddings: (len(known), H).
        tested: tracks of the test subset.
        tested_embeddings: (len(tested), H).
        neighbours: number of training artists to return for each test artist.

    Returns:
        artist_id, artist (name), genre, neighbour (name), neighbour_genre, rank (from 1), cosine.
        Artists are never their own neighbours. Empty if either subset has no known artist.
    """
    columns = ["artist_id", "artist", "genre", "neighbour", "neighbour_genre", "rank", "cosine"]
    if known["artist_id"].isna().all() or tested["artist_id"].isna().all():
        return pd.DataFrame(columns=columns)
    from sklearn.neighbors import NearestNeighbors

    there, known_means = _artist_embeddings(known, known_embeddings)
    here, tested_means = _artist_embeddings(tested, tested_embeddings)
    count = min(neighbours + 1, len(there))  # one neighbour may be the artist itself
    search = NearestNeighbors(n_neighbors=count, metric="cosine").fit(known_means)
    distances, nearest = search.kneighbors(tested_means)
    pairs = here.loc[here.index.repeat(count)].reset_index()
    found = there.iloc[nearest.ravel()].reset_index().add_prefix("neighbour_")
    table = pairs.join(found.rename(columns={"neighbour_artist": "neighbour"}))
    table["cosine"] = 1 - distances.ravel()
    table = table[table["artist_id"] != table["neighbour_artist_id"]]
    rank = table.groupby("artist_id").cumcount() + 1
    return table.assign(rank=rank).loc[rank <= neighbours, columns].reset_index(drop=True)


def _artist_embeddings(
    tracks: pd.DataFrame, embeddings: NDArray[np.float32]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return name and main genre of each artist, and mean embeddings; both have index artist_id."""
    named = tracks.assign(artist=_artist_names(tracks)).groupby("artist_id")
    about = named.agg(artist=("artist", "first"), genre=("genre", lambda genres: genres.mode()[0]))
    means = pd.DataFrame(embeddings, dtype=float).groupby(tracks["artist_id"].to_numpy()).mean()
    return about, means


def _artist_names(tracks: pd.DataFrame) -> pd.Series:
    """Return the name of each track's artist or, if unknown, a name derived from artist_id."""

    def unnamed(artist_id: float | str) -> str:
        return artist_id if isinstance(artist_id, str) else f"artist {artist_id:.0f}"

    return tracks["artist"].fillna(tracks["artist_id"].map(unnamed, na_action="ignore"))


class SecondaryLabels(NamedTuple):
    """Errors explained by the secondary labels of tracks (FMA's ``genres_all``)."""

    predictions: int  # number of predictions on tracks with several labels among the genres
    wrong: int  # number of wrong predictions
    excused: int  # number of wrong predictions that match a secondary label
    pairs: list[tuple[str, str, int]]  # genre, secondary label, predictions; most frequent first


def secondary_labels(predictions: pd.DataFrame, tracks: pd.DataFrame) -> SecondaryLabels:
    """Compare predictions with all labels of the tracks."""
    table = predictions[PREDICTION].join(tracks["top_genres"], on="track_id")
    further = table.reset_index(drop=True).explode("top_genres").rename_axis("row").reset_index()
    further = further[further["top_genres"].isin(genres_of(predictions))]
    further = further.query("genre != top_genres").drop_duplicates(["row", "top_genres"])
    pairs = further.groupby(["genre", "top_genres"]).size()
    pairs = pairs.sort_values(ascending=False, kind="stable")
    return SecondaryLabels(
        further["row"].nunique(),
        int((table["genre"] != table["predicted"]).sum()),
        int((further["predicted"] == further["top_genres"]).sum()),
        [(*pair, int(count)) for pair, count in pairs.items()],
    )


def confident_errors(
    predictions: pd.DataFrame, tracks: pd.DataFrame, count: int = 20
) -> list[dict[str, Any]]:
    """List the tracks with the most confident wrong predictions, averaged over runs.

    Returns:
        track_id, artist, title, license, genre, predicted, probability.
    """
    means = predictions.groupby(["track_id", "genre"])[genres_of(predictions)].mean()
    table = means.assign(predicted=means.idxmax(axis=1), probability=means.max(axis=1))
    table = table.reset_index()[[*PREDICTION, "probability"]]
    table = table.query("genre != predicted").nlargest(count, "probability")
    table = table.join(tracks[["artist", "title", "license"]], on="track_id")
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
