"""Tables over runs, compared with values counted by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.choice import best_run, by_validation
from songnet.evaluation.excerpts import excerpt_table
from songnet.evaluation.genre_tables import confusion_table, genre_table, recall_intervals
from songnet.evaluation.tables import (
    COLUMNS,
    POSTER_GENRES,
    Run,
    difference_table,
    leak_table,
    poster_applies,
    results_table,
)
from songnet.io import write_json
from songnet.report.page import rule_times

TRACKS = list(range(1, 41))
ARTISTS = pd.Series([i // 4 for i in range(40)], index=TRACKS)
BOOTSTRAP = Bootstrap(ARTISTS, 500, 0.95)


def run(model: str, family: str, split_seed: int, seed: int, right: set[int], val: float) -> Run:
    """Build a run with some of its split's twenty tracks correct."""
    tracks = TRACKS[:20] if split_seed == 1 else TRACKS[20:]
    predictions = pd.DataFrame({"track_id": tracks, "split": "test", "genre": "Folk"})
    predictions["predicted"] = np.where(predictions["track_id"].isin(right), "Folk", "Rock")
    predictions["Folk"] = np.where(predictions["track_id"].isin(right), 0.8, 0.4)
    predictions["Rock"] = 1 - predictions["Folk"]
    params = {"dataset": "d", "protocol": "artist", "model": model, "family": family}
    return Run(
        params | {"split_seed": split_seed, "seed": seed},
        {"test": {"accuracy": len(right) / 20}, "validation": {"accuracy": val}},
        predictions,
        pd.DataFrame(),
    )


def test_difference_table_pairs_runs() -> None:
    runs = [
        # The network: 12 and 16 of 20 correct on the first split, 10 on the second.
        run("net", "crnn", 1, 1, set(TRACKS[:12]), 0.6),
        run("net", "crnn", 1, 2, set(TRACKS[:16]), 0.6),
        run("net", "crnn", 2, 1, set(TRACKS[20:30]), 0.6),
        run("net", "crnn", 2, 2, set(TRACKS[20:30]), 0.6),
        run("other", "crnn", 1, 1, set(TRACKS[:12]), 0.5),
        run("other", "crnn", 2, 1, set(TRACKS[20:32]), 0.5),
        # A baseline that runs once.
        run("svm", "baseline", 1, 1, set(TRACKS[:8]), 0.55),
        run("svm", "baseline", 2, 1, set(TRACKS[20:26]), 0.55),
    ]
    table = difference_table(runs, BOOTSTRAP).set_index("model")
    assert set(table["reference"]) == {"net"}
    # (14 + 10) / 40 against 14 / 40 and 24 / 40.
    assert table.loc["svm", "difference"] == pytest.approx(10 / 40)
    assert table.loc["other", "difference"] == pytest.approx(0)
    # One more correct track in four: losses of ln 0.8 instead of ln 0.4, half as probable.
    assert table.loc["svm", "log_loss"] == pytest.approx(-np.log(2) / 4)
    assert table.loc["svm", ["splits_won", "splits_tied", "splits", "pairs"]].tolist() == [
        2,
        0,
        2,
        4,
    ]
    assert table.loc["other", ["splits_won", "splits_tied", "splits", "pairs"]].tolist() == [
        1,
        0,
        2,
        4,
    ]
    # Two splits, resampled as a whole, where the network gains 6 and 4 of 20.
    assert 0 <= table.loc["svm", "ci_low"] < 0.2 and 0.3 < table.loc["svm", "ci_high"] < 0.75
    assert table.loc["other", "ci_low"] < 0 < table.loc["other", "ci_high"]
    assert table.loc["svm", "tracks"] == 40 and table.loc["svm", "effective_artists"] == 10
    # Any family can be the reference.
    for one in runs[-2:]:
        one.metrics["validation"]["accuracy"] = 0.9
    assert set(difference_table(runs, BOOTSTRAP)["reference"]) == {"svm"}
    # None of these runs predicts validation tracks.
    assert difference_table(runs[:1], BOOTSTRAP, subset="validation").empty


def test_results_table_pools_tracks_of_runs() -> None:
    runs = [
        run("net", "crnn", 1, 1, set(TRACKS[:12]), 0.6),
        run("net", "crnn", 1, 2, set(TRACKS[:16]), 0.7),
        run("net", "crnn", 2, 1, set(TRACKS[20:30]), 0.5),
        run("net", "crnn", 2, 2, set(TRACKS[20:22]), 0.8),
        run("svm", "baseline", 1, 1, set(TRACKS[:8]), 0.9),
    ]
    for i, one in enumerate(runs):
        one.metrics["test"]["macro_f1"] = i / 10
        one.history["seconds"] = [1.0, i + 0.5]
    table = results_table(runs, BOOTSTRAP, {"svm": 0.4638})
    assert list(table.columns) == COLUMNS
    net, svm = table.itertuples()
    assert (net.model, net.seeds, net.splits) == ("net", 2, 2)
    assert (svm.model, svm.seeds, svm.splits) == ("svm", 1, 1)
    assert net.accuracy == pytest.approx((12 + 16 + 10 + 2) / 80) and svm.accuracy == 8 / 20
    # For 0.6, 0.8, 0.5 and 0.1 around 0.5: squares 0.01, 0.09, 0 and 0.16, divided by three.
    assert net.accuracy_sd == pytest.approx(np.sqrt(0.26 / 3)) and np.isnan(svm.accuracy_sd)
    assert 0.2 < net.ci_low < 0.5 < net.ci_high < 0.8
    assert (net.effective_artists, svm.effective_artists) == (10, 5)  # four tracks each
    assert (net.macro_f1, svm.macro_f1) == pytest.approx((0.15, 0.4))
    assert (net.train_seconds, svm.train_seconds) == pytest.approx((3.0, 5.5))
    assert (net.validation_accuracy, svm.validation_accuracy) == pytest.approx((0.65, 0.9))
    assert np.isnan(net.poster_accuracy) and svm.poster_accuracy == 0.4638


def test_excerpt_table_pools_runs() -> None:
    predictions = pd.DataFrame(
        {"protocol": "artist", "split": np.repeat(["artist", "artist-2"], 40), "model": "net",
         "seed": 1, "subset": "test", "seconds": np.tile(np.repeat([1.0, 30.0], 20), 2),
         "track_id": [*TRACKS[:20], *TRACKS[:20], *TRACKS[20:], *TRACKS[20:]],
         "correct": [True] * 5 + [False] * 15 + [True] * 20 + [False] * 20 + [True] * 20}
    )  # fmt: skip
    first, last = excerpt_table(predictions, BOOTSTRAP).itertuples()
    assert (first.seconds, first.predictions, first.accuracy) == (1.0, 40, 5 / 40)
    assert first.ci_low == 0 and 0.25 < first.ci_high < 0.5  # ten artists, one or two
    assert (last.seconds, last.accuracy, last.ci_low, last.ci_high) == (30.0, 1, 1, 1)


def test_rule_times_sum_by_rule(tmp_path: Path) -> None:
    files = {
        "mel_shard/0.tsv": (3.0, 150.0), "mel_shard/1.tsv": (4.5, 120.0), "figures.tsv": (2.0, "-"),
    }  # fmt: skip
    for name, (seconds, peak) in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"s\tmax_rss\n{seconds}\t{peak}\n")
    table = rule_times(tmp_path)
    assert table.index.tolist() == ["figures", "mel_shard"]
    assert table.to_numpy().tolist() == [[1, 2.0, 0.0], [2, 7.5, 150.0]]


def test_rule_times_without_files_are_empty(tmp_path: Path) -> None:
    assert rule_times(tmp_path).empty


def test_difference_table_without_test_set_is_empty() -> None:
    one = run("net", "crnn", 1, 1, set(), 0.6)
    del one.metrics["test"]
    assert difference_table([one], BOOTSTRAP).empty


def test_best_run_is_chosen_on_validation(tmp_path: Path) -> None:
    accuracies = {"artist/knn/1": 0.6, "artist/crnn/1": 0.5, "artist/crnn/2": 0.8}
    for name, accuracy in accuracies.items():
        found = {"validation": {"accuracy": accuracy}, "test": {"accuracy": 1 - accuracy}}
        write_json(tmp_path / name / "metrics.json", found)
    folders = [tmp_path / name for name in accuracies]
    assert best_run(folders) == tmp_path / "artist/crnn/2"
    # A second split counts for the choice of the model; the run is from the first.
    write_json(tmp_path / "artist-2/crnn/1/metrics.json", {"validation": {"accuracy": 0.9}})
    assert best_run([*folders, tmp_path / "artist-2/crnn/1"]) == tmp_path / "artist/crnn/2"
    # One lucky run does not make a model the best.
    write_json(folders[1] / "metrics.json", {"validation": {"accuracy": 0.1}})
    assert best_run(folders) == tmp_path / "artist/knn/1"


def test_genre_table_sums_counts_of_runs() -> None:
    genres = ["Folk", "Rock"]
    matrices = [[3, 1], [0, 6]], [[4, 0], [1, 5]]
    runs = [
        Run(
            {"dataset": "d", "protocol": "artist", "model": "net"},
            {"genre_names": genres, "test": {"confusion": matrix}},
            pd.DataFrame(),
            pd.DataFrame(),
        )
        for matrix in matrices
    ]
    confusions = confusion_table(runs)
    assert confusions["predictions"].tolist() == [7, 1, 1, 11]
    table = genre_table(confusions)
    assert table[["protocol", "model", "subset", "genre", "predictions"]].values.tolist() == [
        ["artist", "net", "test", "Folk", 8], ["artist", "net", "test", "Rock", 12],
    ]  # fmt: skip
    assert table["precision"].tolist() == [7 / 8, 11 / 12]
    assert table["recall"].tolist() == [7 / 8, 11 / 12]


def test_recall_intervals_widen_with_fewer_artists() -> None:
    """Genres of 40 tracks, half of them correct: by one, forty, eight or four artists."""
    tracks = pd.DataFrame(
        {"track_id": range(120), "split": "test", "genre": np.repeat(["Folk", "Jazz", "Rock"], 40)}
    )
    of_eight, of_four = np.repeat(range(100, 108), 5), np.repeat(range(200, 204), 10)
    artists = pd.Series([*range(40), *of_eight, *of_four], index=range(120))
    predicted = tracks["genre"].where(artists % 2 == 0, "Pop")
    run = Run(
        {"dataset": "d", "protocol": "artist", "model": "net"}, {},
        tracks.assign(predicted=predicted), pd.DataFrame(),
    )  # fmt: skip
    folk, jazz, rock = recall_intervals([run], Bootstrap(artists, 2000, 0.95)).itertuples()
    assert folk.genre == "Folk"
    assert [row.effective_artists for row in (folk, jazz, rock)] == [40, 8, 4]
    # Binomial: 1.96 √(0.25 / 40) = 0.155 for forty, one to seven of eight.
    assert folk.recall_low == pytest.approx(0.345, abs=0.03)
    assert folk.recall_high == pytest.approx(0.655, abs=0.03)
    assert (jazz.recall_low, jazz.recall_high) == (1 / 8, 7 / 8)
    # For four, the interval would be misleading.
    assert np.isnan([rock.recall_low, rock.recall_high]).all()


def test_leak_table_draws_artists_once() -> None:
    """The same tracks under both protocols: hard artists are hard in both, and cancel out."""
    hard = {track for track in TRACKS[:20] if ARTISTS[track] < 3}
    runs = [
        run("net", "crnn", 1, 1, set(TRACKS[:20]) - hard, 0.5),
        run("net", "crnn", 1, 1, set(TRACKS[:20]) - hard, 0.5),
        run("other", "crnn", 1, 1, set(), 0.5),
    ]
    runs[0].params["protocol"] = "random"
    runs[0].predictions.loc[0, "predicted"] = "Folk"  # one more track by a hard artist
    (row,) = leak_table(runs, BOOTSTRAP).itertuples()
    assert (row.model, row.random, row.artist) == ("net", 9 / 20, 8 / 20)
    assert row.leak == pytest.approx(1 / 20)
    # The one track counts up to three times, or not at all.
    assert row.ci_low == 0 and 0.1 <= row.ci_high <= 0.2
    assert leak_table(runs[1:], BOOTSTRAP).empty


@pytest.mark.parametrize(
    ("source", "genres", "applies"),
    [
        ("download", [*POSTER_GENRES, "Rock"], True),
        ("download", ["Rock"], False),
        ("synthesis", [*POSTER_GENRES], False),
    ],
)
def test_poster_applies_by_source_and_genres(source: str, genres: list[str], applies: bool) -> None:
    assert poster_applies({"source": source}, genres) is applies


def test_by_validation_orders_models_under_the_fairest_protocol_with_a_test_set() -> None:
    rows = [
        ("official", "svm", np.nan, 0.9), ("official", "knn", np.nan, 0.8),
        ("random", "knn", 0.5, 0.7), ("random", "svm", 0.6, 0.6),
        ("artist", "svm", 0.9, 0.3), ("artist", "crnn", 0.1, 0.4), ("artist", "mlp", 0.2, 0.4),
    ]  # fmt: skip
    columns = ["protocol", "model", "accuracy", "validation_accuracy"]
    ordered = by_validation(pd.DataFrame(rows, columns=columns))
    assert ordered == ["crnn", "mlp", "svm", "knn"]  # knn is not under artist
