"""Metrics equal scikit-learn's; the interval covers what it should."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, log_loss

from songnet.evaluation.bootstrap import artist_bootstrap, effective_artists
from songnet.evaluation.metrics import genre_scores, subset_metrics
from songnet.models.predictions import prediction_table

GENRES = ["Folk", "Pop", "Rock"]


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    truth = rng.choice(GENRES, 200)
    probabilities = rng.dirichlet(np.ones(3), 200)
    predicted = np.array(GENRES)[probabilities.argmax(axis=1)]
    tracks = pd.DataFrame({"track_id": np.arange(200), "split": "test", "genre": truth})
    return prediction_table(tracks, predicted, probabilities, GENRES)


def test_subset_metrics_equal_scikit_learn(table: pd.DataFrame) -> None:
    artists = pd.Series(np.arange(200) // 4, index=np.arange(200))
    found = subset_metrics(table, artists, GENRES, resamples=500, confidence=0.95)
    truth, predicted = table["genre"], table["predicted"]
    assert found["accuracy"] == pytest.approx((truth == predicted).mean())
    assert found["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert found["confusion"][0][1] == ((truth == "Folk") & (predicted == "Pop")).sum()
    assert found["genres"]["Folk"]["tracks"] == (truth == "Folk").sum()
    assert found["genres"]["Folk"]["recall"] == (predicted[truth == "Folk"] == "Folk").mean()
    assert found["log_loss"] == pytest.approx(log_loss(truth, table[GENRES]), rel=1e-5)
    assert found["ci_low"] < found["accuracy"] < found["ci_high"]


def test_a_genre_that_does_not_occur_lowers_no_mean(table: pd.DataFrame) -> None:
    artists = pd.Series(np.arange(200) // 4, index=np.arange(200))
    rows = table[(table["genre"] != "Pop") & (table["predicted"] != "Pop")]
    found = subset_metrics(rows, artists, GENRES, resamples=10, confidence=0.95)
    expected = f1_score(rows["genre"], rows["predicted"], average="macro")
    assert found["macro_f1"] == pytest.approx(expected)
    assert found["genres"]["Pop"] == {"precision": 0, "recall": 0, "f1": 0, "tracks": 0}


def test_scores_are_missing_where_undefined() -> None:
    truth, predicted = pd.Series(list("AABC")), pd.Series(list("ABAC"))
    scores = genre_scores(truth, predicted, list("ABCD"), pd.Series([3, 1, 2, 0]))
    np.testing.assert_allclose(scores["precision"], [3 / 5, 0, np.nan, np.nan])
    np.testing.assert_allclose(scores["recall"], [3 / 4, 0, np.nan, np.nan])
    np.testing.assert_allclose(scores["f1"], [2 / 3, 0, np.nan, np.nan])
    assert scores["predictions"].tolist() == [4, 2, 0, 0]


def test_interval_covers_the_truth() -> None:
    """Artists are right or wrong as a whole: the artist bootstrap covers, one over tracks fails."""
    rng = np.random.default_rng(5)
    artists = pd.Series(np.repeat(np.arange(60), 8))
    by_artist = by_track = 0
    for _ in range(200):
        correct = np.repeat((rng.random(60) < 0.6).astype(float), 8)
        low, high = artist_bootstrap(correct, artists, 400, 0.95)
        by_artist += low <= 0.6 <= high
        low, high = artist_bootstrap(correct, pd.Series(np.arange(480)), 400, 0.95)
        by_track += low <= 0.6 <= high
    assert by_artist / 200 > 0.9
    assert by_track / 200 < 0.75


def test_runs_vary_too() -> None:
    """Each run is better or worse as a whole: drawing them covers, drawing artists alone fails."""
    rng = np.random.default_rng(6)
    artists = pd.Series(np.tile(np.repeat(np.arange(50), 4), 9))
    runs = np.repeat(np.arange(9), 200)
    with_runs = without = 0
    for _ in range(200):
        gains = rng.normal(0, 0.05, 9)[runs] + rng.normal(0, 0.05, 50)[artists]
        gains += rng.normal(0, 0.3, len(runs))
        low, high = artist_bootstrap(gains, artists, 400, 0.95, runs=runs)
        with_runs += low <= 0 <= high
        low, high = artist_bootstrap(gains, artists, 400, 0.95)
        without += low <= 0 <= high
    assert with_runs / 200 > 0.9
    assert without / 200 < 0.75


def test_of_one_run_there_is_none_to_draw() -> None:
    rng = np.random.default_rng(8)
    correct, artists = rng.random(60), pd.Series(np.arange(60) // 3)
    one = artist_bootstrap(correct, artists, 700, 0.95, runs=np.zeros(60, np.int64))
    assert one == artist_bootstrap(correct, artists, 700, 0.95)


def test_unknown_artists_count_for_themselves() -> None:
    correct = np.tile([0.0, 1.0], 100)
    unknown = pd.Series(np.full(200, np.nan))
    assert artist_bootstrap(correct, unknown, 500, 0.95) == artist_bootstrap(
        correct, pd.Series(np.arange(200)), 500, 0.95
    )


def test_several_predictions_on_a_track_are_no_more_artists() -> None:
    rng = np.random.default_rng(7)
    correct = rng.integers(0, 2, 40).astype(float)
    unknown = pd.Series([np.nan] * 40, index=np.arange(100, 140))
    once = artist_bootstrap(correct, unknown, 500, 0.95)
    twice = artist_bootstrap(np.tile(correct, 2), pd.concat([unknown, unknown]), 500, 0.95)
    assert once == twice


def test_one_artist_with_half_of_the_tracks_leaves_four() -> None:
    even = pd.Series(list("aabbccdd"), index=range(8))
    assert effective_artists(even) == pytest.approx(4)
    odd = pd.Series(["a"] * 10 + [f"b{i}" for i in range(10)], index=range(20))
    assert effective_artists(odd) == pytest.approx(400 / 110)
    assert effective_artists(pd.Series([None, None, 5], index=range(3))) == pytest.approx(3)
