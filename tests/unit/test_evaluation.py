"""Metrics equal scikit-learn's, and intervals have their nominal coverage."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import (
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)

from songnet.evaluation.bootstrap import Bootstrap, effective_artists
from songnet.evaluation.metrics import genre_scores, subset_metrics
from songnet.models.predictions import prediction_table

GENRES = ["Folk", "Pop", "Rock"]
Values = NDArray[Any]


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    truth = rng.choice(GENRES, 200)
    probabilities = rng.dirichlet(np.ones(3), 200)
    predicted = np.array(GENRES)[probabilities.argmax(axis=1)]
    tracks = pd.DataFrame({"track_id": np.arange(200), "split": "test", "genre": truth})
    return prediction_table(tracks, predicted, probabilities, GENRES)


def test_subset_metrics_equal_scikit_learn(table: pd.DataFrame) -> None:
    found = subset_metrics(table, GENRES, Bootstrap(pd.Series(np.arange(200) // 4), 500, 0.95))
    truth, predicted = table["genre"], table["predicted"]
    assert found["accuracy"] == pytest.approx((truth == predicted).mean())
    assert found["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert found["confusion"] == confusion_matrix(truth, predicted, labels=GENRES).tolist()
    scores = precision_recall_fscore_support(truth, predicted, labels=GENRES)
    names = ("precision", "recall", "f1", "tracks")
    assert [[row[n] for row in found["genres"].values()] for n in names] == [
        list(values) for values in scores
    ]
    assert found["log_loss"] == pytest.approx(log_loss(truth, table[GENRES]), rel=1e-5)
    assert found["ci_low"] < found["accuracy"] < found["ci_high"]


def test_subset_metrics_leave_absent_genre_out_of_macro_f1(table: pd.DataFrame) -> None:
    rows = table[(table["genre"] != "Pop") & (table["predicted"] != "Pop")]
    found = subset_metrics(rows, GENRES, Bootstrap(pd.Series(np.arange(200) // 4), 100, 0.95))
    expected = f1_score(rows["genre"], rows["predicted"], average="macro")
    assert found["macro_f1"] == pytest.approx(expected)
    assert found["genres"]["Pop"] == {"precision": 0, "recall": 0, "f1": 0, "tracks": 0}


def test_genre_scores_are_nan_where_undefined() -> None:
    truth, predicted = pd.Series(list("AABC")), pd.Series(list("ABAC"))
    scores = genre_scores(truth, predicted, list("ABCD"), pd.Series([3, 1, 2, 0]))
    np.testing.assert_allclose(scores["precision"], [3 / 5, 0, np.nan, np.nan])
    np.testing.assert_allclose(scores["recall"], [3 / 4, 0, np.nan, np.nan])
    np.testing.assert_allclose(scores["f1"], [2 / 3, 0, np.nan, np.nan])
    assert scores["predictions"].tolist() == [4, 2, 0, 0]


def covered(draw: Callable[[], Values], truth: float, *given: tuple[Values, Any]) -> Values:
    """Return the coverage over 200 samples, for each choice of bootstrapping artists and runs."""
    held = np.zeros(len(given))
    for _ in range(200):
        values = pd.Series(draw())
        for i, (artists, runs) in enumerate(given):
            low, high = Bootstrap(pd.Series(artists), 400, 0.95).interval(values, runs=runs)
            held[i] += low <= truth <= high
    return held / 200


def test_interval_over_artists_has_nominal_coverage() -> None:
    """Artists have all tracks correct or none: bootstrapping artists covers, tracks fails."""
    rng = np.random.default_rng(5)
    artists = np.repeat(np.arange(60), 8)
    by_artist, by_track = covered(
        lambda: np.repeat(rng.random(60) < 0.6, 8), 0.6, (artists, None), (np.arange(480), None)
    )
    assert by_artist > 0.9 and by_track < 0.75


def test_interval_over_runs_has_nominal_coverage() -> None:
    """Runs differ as a whole: bootstrapping runs covers, bootstrapping artists alone fails."""
    rng = np.random.default_rng(6)
    artists, runs = np.tile(np.repeat(np.arange(50), 4), 9), np.repeat(np.arange(9), 200)

    def draw() -> Values:
        gains = rng.normal(0, 0.05, 9)[runs] + rng.normal(0, 0.05, 50)[artists]
        return gains + rng.normal(0, 0.3, len(runs))

    with_runs, without = covered(draw, 0, (artists, runs), (artists, None))
    assert with_runs > 0.9 and without < 0.75


def test_interval_of_one_run_equals_interval_over_artists() -> None:
    correct = pd.Series(np.random.default_rng(8).random(60))
    bootstrap = Bootstrap(pd.Series(np.arange(60) // 3), 700, 0.95)
    one = bootstrap.interval(correct, runs=np.zeros(60, np.int64))
    assert one == bootstrap.interval(correct)


def test_interval_counts_each_unknown_artist_by_itself() -> None:
    correct, unknown = pd.Series(np.tile([0.0, 1.0], 100)), pd.Series(np.full(200, np.nan))
    bootstrap = Bootstrap(unknown, 500, 0.95)
    assert bootstrap.interval(correct) == Bootstrap(pd.Series(np.arange(200)), 500, 0.95).interval(
        correct
    )
    # Several predictions of a track do not add artists.
    assert bootstrap.interval(pd.concat([correct, correct])) == bootstrap.interval(correct)


def test_effective_artists_of_equal_and_unequal_sizes() -> None:
    even = pd.Series(list("aabbccdd"), index=range(8))
    assert effective_artists(even) == pytest.approx(4)
    odd = pd.Series(["a"] * 10 + [f"b{i}" for i in range(10)], index=range(20))
    assert effective_artists(odd) == pytest.approx(400 / 110)
    assert effective_artists(pd.Series([None, None, 5], index=range(3))) == pytest.approx(3)
