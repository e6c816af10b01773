"""Errors, confidence and artists, compared with values counted by hand."""

import re

import numpy as np
import pandas as pd
import pytest

from songnet.evaluation import error_analysis
from songnet.evaluation.bootstrap import Bootstrap
from songnet.formatting import credit
from songnet.report import analysis_page

GENRES = ["Folk", "Pop", "Rock"]


def predictions() -> pd.DataFrame:
    """Six predictions: Folk 2 of 2 correct, Pop 0 of 2, Rock 1 of 2."""
    rows = [
        (1, "Folk", "Folk", 0.8, 0.1, 0.1),
        (2, "Folk", "Folk", 0.6, 0.3, 0.1),
        (3, "Pop", "Rock", 0.0, 0.1, 0.9),
        (4, "Pop", "Folk", 0.5, 0.2, 0.3),
        (5, "Rock", "Rock", 0.2, 0.1, 0.7),
        (6, "Rock", "Pop", 0.1, 0.5, 0.4),
    ]
    table = pd.DataFrame(rows, columns=["track_id", "genre", "predicted", *GENRES])
    table.insert(1, "split", "test")
    return table


def tracks() -> pd.DataFrame:
    """Metadata of the six tracks."""
    return pd.DataFrame(
        {
            "artist_id": [10.0, 10, 20, 20, 20, np.nan],
            "artist": ["A", "A", "B", "B", "B", None],
            "genre": ["Folk", "Folk", "Pop", "Pop", "Rock", "Rock"],
            "title": [f"song {i}" for i in range(1, 7)],
            "license": "CC BY",
            "top_genres": [["Folk"], ["Folk"], ["Pop", "Rock"], ["Pop"], ["Folk", "Rock"], None],
        },
        index=pd.Index(range(1, 7), name="track_id"),
    )


def test_genre_errors_hardest_genre_first() -> None:
    errors = error_analysis.genre_errors(predictions())
    assert [row["genre"] for row in errors] == ["Pop", "Rock", "Folk"]  # hardest genre first
    pop, _, folk = errors
    # Pop is second for one of two tracks (0.9, 0.1, 0.0), and third for the other (0.5, 0.3, 0.2).
    assert (pop["recall"], pop["top2"], pop["precision"]) == (0, 0.5, 0)
    assert pop["shares"] == {"Folk": 0.5, "Pop": 0, "Rock": 0.5}
    assert pop["confidence"] == pytest.approx(0.7)
    assert folk["precision"] == pytest.approx(2 / 3)
    assert error_analysis.top_accuracy(predictions(), 1) == 0.5
    assert error_analysis.top_accuracy(predictions(), 2) == pytest.approx(5 / 6)


def test_reliability_bins_and_calibration_error() -> None:
    bootstrap = Bootstrap(tracks()["artist_id"], 500, 0.95)
    found = error_analysis.reliability(predictions(), bootstrap, bins=5)
    # Confidences .8 .6 .9 .5 .7 .5: bins (0.4, 0.6] with 1 of 3 correct, (0.6, 0.8] with 2 of 2,
    # and (0.8, 1] with 0 of 1.
    np.testing.assert_allclose(found["confidence"], [1.6 / 3, 0.75, 0.9], atol=1e-6)
    np.testing.assert_allclose(found["accuracy"], [1 / 3, 1, 0])
    assert list(found["predictions"]) == [3, 2, 1]
    assert found["ci_low"].isna().all()  # number of artists
    error = (3 * (1.6 / 3 - 1 / 3) + 2 * 0.25 + 0.9) / 6
    assert error_analysis.calibration_error(found) == pytest.approx(error)
    assert analysis_page.calibration_facts(found) == {
        "expected calibration error": f"{100 * error:.1f} %",
        "confidence − accuracy": f"+{100 * (4 / 6 - 0.5):.1f} points",
    }


def test_reliability_intervals_are_over_artists() -> None:
    """Each artist has all ten tracks correct or none: ten independent observations, not 100."""
    truth = np.repeat(np.tile(["Folk", "Pop"], 5), 10)
    table = pd.DataFrame({"track_id": range(100), "genre": truth, "predicted": "Folk"})
    table.insert(1, "split", "test")
    table = table.assign(Folk=0.55, Pop=0.45, Rock=0.0)
    bootstrap = Bootstrap(pd.Series(np.arange(100) // 10), 2000, 0.95)
    (row,) = error_analysis.reliability(table, bootstrap).itertuples()
    assert (row.predictions, row.accuracy) == (100, 0.5)
    assert (row.ci_low, row.ci_high) == pytest.approx((0.2, 0.8))  # binomial quantiles for ten


def test_artist_errors_of_artists_with_enough_tracks() -> None:
    found = error_analysis.artist_errors(predictions(), tracks(), min_tracks=2)
    assert found.to_dict("records") == [
        {"artist": "B", "genre": "Pop", "predictions": 3, "accuracy": pytest.approx(1 / 3),
         "mistaken_for": "Rock", "share": pytest.approx(1 / 3)},
        {"artist": "A", "genre": "Folk", "predictions": 2, "accuracy": 1.0, "mistaken_for": "",
         "share": 0},
    ]  # fmt: skip
    seeds = pd.concat([predictions()] * 3)  # predictions of three runs do not add tracks
    assert len(error_analysis.artist_errors(seeds, tracks(), min_tracks=3)) == 1
    none = error_analysis.artist_errors(predictions(), tracks(), min_tracks=9)
    assert none.empty and analysis_page.artists_table(none).empty
    no_artists = pd.DataFrame(columns=["rank"])
    assert analysis_page.artist_facts(none, no_artists) == {}
    (text,) = analysis_page.artist_facts(found, no_artists).values()
    assert text == "2: 50.0 % always correct, 0.0 % never"


def test_artist_errors_name_unnamed_artists_by_number() -> None:
    numbered = tracks().assign(artist=None)
    named = numbered.assign(artist_id=["a", "a", "b", "b", "b", None])
    for table, expected in [(numbered, ["artist 20", "artist 10"]), (named, ["b", "a"])]:
        assert list(error_analysis.artist_errors(predictions(), table, 2)["artist"]) == expected


def test_nearest_artists_by_cosine_of_embeddings() -> None:
    known, tested = tracks().loc[[1, 2, 3, 4]], tracks().loc[[5]].assign(artist_id=30)
    embeddings = np.array([[1, 0], [0.8, 0.6], [0, 1], [0, 1]], np.float32)
    found = error_analysis.nearest_artists(
        known, embeddings, tested, np.array([[0.6, 0.8]], np.float32)
    )
    # Artist A has the direction (1.8, 0.6) / 1.897, artist B (0, 1).
    assert list(found["neighbour"]) == ["A", "B"]
    np.testing.assert_allclose(found["cosine"], [(1.8 * 0.6 + 0.6 * 0.8) / 1.8974, 0.8], rtol=1e-4)
    (text,) = analysis_page.artist_facts(pd.DataFrame(), found).values()
    assert text == "0.0 % of 1 artists"


def test_nearest_artists_keeps_equal_names_apart() -> None:
    known, tested = tracks().loc[[1, 2, 3, 4]], tracks().loc[[3, 5]]
    tested = tested.assign(artist="Same", genre="Pop", artist_id=[30, 31])
    embeddings = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    points = np.array([[1, 0.5], [0.5, 1]], np.float32)
    found = error_analysis.nearest_artists(known, embeddings, tested, points, neighbours=1)
    assert analysis_page.neighbours_table(found).to_numpy().tolist() == [
        ["Same", "Pop", "A (Folk, 0.89)"], ["Same", "Pop", "B (Pop, 0.89)"],
    ]  # fmt: skip


def test_nearest_artists_excludes_self_and_unknown_artists() -> None:
    embeddings = np.array([[1, 0], [0.8, 0.6], [0, 1], [0, 1]], np.float32)
    some = tracks().loc[[1, 2, 3, 4]]
    found = error_analysis.nearest_artists(some, embeddings, some, embeddings)
    assert list(zip(found["artist"], found["neighbour"], strict=True)) == [("A", "B"), ("B", "A")]
    no_artists = some.assign(artist_id=None)
    for known, tested in [(some, no_artists), (no_artists, some)]:
        found = error_analysis.nearest_artists(known, embeddings, tested, embeddings)
        assert analysis_page.artist_facts(pd.DataFrame(), found) == {}
        assert analysis_page.neighbours_table(found).empty


def test_secondary_labels_excuse_errors() -> None:
    found = error_analysis.secondary_labels(predictions(), tracks())
    # Track 3 has the labels Pop and Rock, predicted Rock; track 5 has Folk in addition to Rock.
    assert (found.predictions, found.wrong, found.excused) == (2, 3, 1)
    assert set(found.pairs) == {("Pop", "Rock", 1), ("Rock", "Folk", 1)}
    facts = analysis_page.error_facts(predictions(), tracks())
    assert facts["errors naming another label"] == "1 of 3 (33.3 %)"
    assert facts["top-2 accuracy"] == "83.3 %"


def test_accuracy_has_an_interval_where_there_are_artists_enough() -> None:
    few = Bootstrap(tracks()["artist_id"], 200, 0.95)
    assert analysis_page.accuracy_interval(predictions(), few) == ("50.0 %", "")
    many = Bootstrap(pd.Series(range(6), tracks().index), 200, 0.9)
    accuracy, interval = analysis_page.accuracy_interval(predictions(), many)
    assert accuracy == "50.0 %" and re.fullmatch(r"90 % CI \d+\.\d to \d+\.\d", interval)


@pytest.mark.parametrize(
    "name", ["artist", "artist_id", "title", "license", "top_genres", "probability", "right"]
)
def test_confident_errors_with_genre_named_like_a_column(name: str) -> None:
    """`check_genres` only refuses the columns of predictions.parquet."""
    named = predictions().replace("Rock", name).rename(columns={"Rock": name})
    known = tracks().replace("Rock", name)
    known["top_genres"] = [
        labels and [name if label == "Rock" else label for label in labels]
        for labels in known["top_genres"]
    ]
    wrong = error_analysis.confident_errors(named, known, count=1)
    assert wrong == [
        {"track_id": 3, "genre": "Pop", "predicted": name, "probability": 0.9, "artist": "B",
         "title": "song 3", "license": "CC BY"}
    ]  # fmt: skip
    artists = error_analysis.artist_errors(named, known, min_tracks=2)
    assert list(artists["mistaken_for"]) == [name, ""]
    labels = error_analysis.secondary_labels(named, known)
    assert (labels.predictions, labels.wrong, labels.excused) == (2, 3, 1)
    errors = error_analysis.genre_errors(named)
    assert [row["genre"] for row in errors] == ["Pop", name, "Folk"]


def test_confident_errors_come_first() -> None:
    found = error_analysis.confident_errors(predictions(), tracks(), count=2)
    assert [(row["track_id"], row["predicted"]) for row in found] == [(3, "Rock"), (4, "Folk")]
    assert credit(found[0]) == "B: song 3 · CC BY"
