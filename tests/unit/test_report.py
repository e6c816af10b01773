"""The report's headline, tables and page."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from songnet.data.splits import split_summary
from songnet.evaluation.genre_tables import genre_table
from songnet.io import write_json
from songnet.report import cells
from songnet.report.findings import Findings
from songnet.report.headline import headline
from songnet.report.markdown import write_results
from songnet.report.page import provenance, write_report
from tests.configured import checked

MODELS: dict[str, dict[str, Any]] = {
    "knn": {"title": "kNN", "family": "baseline", "estimator": "x"},
    "svm": {"title": "SVM", "family": "baseline", "estimator": "x"},
    "crnn": {"title": "C-RNN", "family": "crnn"},
}
# Correct tracks of (Folk, Rock), of ten each, in (validation, test).
CORRECT = {"knn": [(9, 5), (4, 4)], "svm": [(3, 3), (9, 9)], "crnn": [(9, 7), (8, 5)]}
CONFUSIONS = ["protocol", "model", "subset", "genre", "predicted", "predictions"]


def confusions(subsets: tuple[str, ...] = ("validation", "test")) -> pd.DataFrame:
    rows = [
        (protocol, model, subset, genre, predicted, count if genre == predicted else 10 - count)
        for protocol in ("random", "artist")
        for model, of_subsets in CORRECT.items()
        for subset, counts in zip(("validation", "test"), of_subsets, strict=True)
        for genre, count in zip(("Folk", "Rock"), counts, strict=True)
        for predicted in ("Folk", "Rock")
        if subset in subsets
    ]
    return pd.DataFrame(rows, columns=CONFUSIONS)


def results() -> pd.DataFrame:
    rows = [
        (protocol, model, sum(test) / 20 + leak, sum(validation) / 20)
        for protocol, leak in [("random", 0.1), ("artist", 0.0)]
        for model, (validation, test) in CORRECT.items()
    ]
    table = pd.DataFrame(rows, columns=["protocol", "model", "accuracy", "validation_accuracy"])
    return table.assign(
        seeds=2, splits=1, accuracy_sd=0.012, ci_low=0.5, ci_high=0.8, macro_f1=0.0,
        poster_accuracy=None, train_seconds=1.0,
    )  # fmt: skip


def differences() -> pd.DataFrame:
    interval = {"difference": 0.25, "ci_low": 0.05, "ci_high": 0.4}
    losses = {"log_loss": -0.0321, "log_loss_low": -0.04, "log_loss_high": 0.0}
    names = {"protocol": "artist", "model": "knn", "reference": "crnn"}
    return pd.DataFrame(
        [names | interval | losses | {"splits_won": 1, "splits_tied": 0, "splits": 1, "pairs": 3}]
    )


def choice() -> pd.DataFrame:
    names = {"protocol": "artist", "model": ["knn", "svm"], "reference": "crnn"}
    counts = {"tracks": 700, "effective_artists": 90.1}
    return pd.DataFrame(names | {"ci_low": [-0.01, 0.2]} | counts)


def leaks() -> pd.DataFrame:
    columns = ["model", "random", "artist", "leak", "ci_low", "ci_high"]
    return pd.DataFrame([(model, 0.5, 0.4, -0.1, -0.2, 0.05) for model in CORRECT], columns=columns)


TRACKS = pd.DataFrame(
    {
        "genre": ["Folk", "Folk", "Rock", "Rock", "Rock"],
        "artist_id": [1, 2, 1, 3, np.nan],
        "lost_seconds": [0, 1.9, 0, 0.4, 0],
    },
    index=pd.Index([10, 11, 12, 13, 14], name="track_id"),
)
SUBSETS = pd.Series(["train", "test", "test", "validation", "test"], TRACKS.index, name="split")


def findings(**changed: Any) -> Findings:
    intervals = {"recall_low": 0.1, "recall_high": 0.9, "effective_artists": 5.2}
    found = Findings(
        dataset={"title": "<b>music", "note": "A note.", "source": "archives"},
        models=MODELS,
        confidence=0.95,
        results=results(),
        differences=differences(),
        choice=choice(),
        tuned=[],
        leaks=leaks(),
        genres=genre_table(confusions()).assign(**intervals),
        confusions=confusions(),
        tracks=TRACKS,
        quarantine=pd.DataFrame(
            {
                "track_id": [7, 8],
                "file_name": ["7.mp3", "8.mp3"],
                "reason": ["short: 2 s", "short: 3.1 s"],
            }
        ),
        archives={"fma_small.zip": "0" * 40},
        splits={"artist": SUBSETS, "random": SUBSETS},
        tables=[],
        summaries={"artist": split_summary(TRACKS, SUBSETS, None)},
    )
    return replace(found, **changed)


def test_headline_is_chosen_on_validation() -> None:
    found = headline(findings())
    assert found.title == "C-RNN: 65.0 % accuracy (artist split)"
    assert found.interval == "95 % CI 50.0 to 80.0"
    assert found.facts == {
        # A track without an artist counts as its own artist.
        "measured on": "3 test tracks by 2 artists and 1 without an artist over 1 split "
        "(3 effective artists; with so few, intervals are too narrow)",
        "chosen by": "validation accuracy, 80.0 % on 700 tracks (90 effective artists); not "
        "significantly better there than kNN",
        "chance": "50.0 %",
        # kNN is the best baseline on validation, although SVM is better on test.
        "best baseline": "40.0 % (kNN)",
        "C-RNN − kNN": "+25.0 points (95 % CI +5.0 to +40.0)",
        "artist leak": "−10.0 points (95 % CI −20.0 to +5.0)",
        "advice": "A genre has only 1 test track in a split, so another split may change "
        "accuracies by many points: run several, e.g. 'split_seeds=[101,102,103,104,105]'.",
    }


def test_headline_is_the_best_on_validation_whatever_the_reference() -> None:
    compared = differences().assign(model="crnn", reference="svm")
    found = headline(findings(differences=compared))
    assert found.model == "C-RNN"
    assert found.facts["C-RNN − SVM"] == "−25.0 points (95 % CI −40.0 to −5.0)"


def test_headline_may_be_of_any_family() -> None:
    better = results()
    better.loc[better["model"] == "svm", "validation_accuracy"] = 0.9
    found = findings(results=better, differences=differences().iloc[:0])
    assert headline(found).model == "SVM"
    assert "best baseline" not in headline(found).facts


def test_headline_warns_about_few_validation_artists() -> None:
    facts = headline(findings(choice=choice().assign(effective_artists=9.4))).facts
    assert facts["chosen by"].endswith("(9 effective artists); with so few, the choice says little")
    alone = findings(choice=choice().iloc[:0])
    assert headline(alone).facts["chosen by"] == "being the only model"
    sure = choice().assign(ci_low=0.01)
    assert headline(findings(choice=sure)).facts["chosen by"].endswith("artists)")


def test_headline_lists_tuning_split_seeds() -> None:
    assert "tuning" not in headline(findings()).facts
    text = headline(findings(tuned=[1, 3])).facts["tuning"]
    assert text.startswith("split_seeds 1 and 3 took part in choosing the networks' settings")


def test_advice_ends_with_enough_splits_or_tracks() -> None:
    many = {f"artist-{i}": SUBSETS for i in range(5)} | {"random": SUBSETS}
    assert "advice" not in headline(findings(splits=many)).facts
    tracks = pd.DataFrame({"genre": ["Folk", "Rock"] * 20, "artist_id": range(40)})
    subsets = pd.Series("test", tracks.index)
    splits = {"artist": subsets, "random": subsets}
    assert "advice" not in headline(findings(tracks=tracks, splits=splits)).facts


def test_headline_counts_tracks_once_over_splits() -> None:
    tracks = pd.DataFrame({"genre": "Folk", "artist_id": range(40)})
    subsets = pd.Series("test", tracks.index)
    found = findings(
        tracks=tracks, splits={"artist": subsets, "artist-2": subsets, "random": subsets}
    )
    assert headline(found).facts["measured on"] == (
        "40 test tracks by 40 artists over 2 splits (40 effective artists)"
    )


def test_headline_without_test_set_shows_validation() -> None:
    missing = results().assign(accuracy=np.nan, ci_low=np.nan, ci_high=np.nan)
    found = findings(
        results=missing, differences=differences().iloc[:0], leaks=leaks().iloc[:0],
        confusions=confusions(("validation",)), genres=genre_table(confusions(("validation",))),
    )  # fmt: skip
    first = headline(found)
    assert first.title == "C-RNN: 80.0 % accuracy (artist split, validation)"
    assert (first.accuracy, first.interval) == ("80.0 %", "")
    assert "artist leak" not in first.facts
    table = cells.results_table(found)
    assert list(table["artist % (validation)"]) == ["70.0", "30.0", "80.0"]


def test_headline_quotes_the_poster_for_its_own_model() -> None:
    claimed = findings(results=results().assign(poster_accuracy=[0.36, 0.46, 0.65] * 2))
    facts = headline(claimed).facts
    assert facts["poster's C-RNN"] == "65.00 % (random split; here 65.0 % artist, 75.0 % random)"


def test_results_table_cells() -> None:
    table = cells.results_table(findings()).set_index("model")
    assert table.loc["kNN"].to_dict() == {
        "artist %": "40.0 ± 1.2 [50.0, 80.0]",
        "random %": "50.0 ± 1.2 [50.0, 80.0]",
        "reference − model (artist)": "+25.0 [+5.0, +40.0]",
        "artist leak": "−10.0 [−20.0, +5.0]",
        "macro F1 % (artist)": "0.0",
        "training": "1.0 s",
    }
    assert list(table["reference − model (artist)"]) == ["+25.0 [+5.0, +40.0]", "", "reference"]
    nothing = {"differences": differences().iloc[:0], "leaks": leaks().iloc[:0]}
    alone = cells.results_table(findings(**nothing))
    assert list(alone) == ["model", "artist %", "random %", "macro F1 % (artist)", "training"]
    (row,) = cells.differences_table(findings()).to_numpy().tolist()
    losses = "−0.032 [−0.040, +0.000]"
    assert row == ["artist", "C-RNN", "kNN", "+25.0 [+5.0, +40.0]", losses, "1 of 1", "3"]


def test_results_table_compares_with_the_poster_under_its_own_protocol() -> None:
    claimed = results().assign(poster_accuracy=[0.36, None, 0.6532] * 2)
    table = cells.results_table(findings(results=claimed))
    assert list(table["poster %"]) == ["36.00 (official)", "", "65.32 (random)"]
    assert list(table["here − poster"]) == ["", "", "+9.68"]


@pytest.mark.parametrize(
    ("tracks", "posters", "expected"),
    [
        (800, True, [["kNN", "291", "291", "+0"], ["SVM", "375", "371", "+4"]]),
        (800, False, []),  # 800 tracks of other music
        (797, True, []),
    ],
)
@pytest.mark.parametrize("runs", [1, 3])
def test_poster_table_counts_correct_tracks(
    runs: int, tracks: int, posters: bool, expected: list[list[str]]
) -> None:
    counts = {"knn": 291, "svm": 375, "crnn": 400}
    rows = [
        ("official", model, "test", "Folk", predicted, count * runs)
        for model, correct in counts.items()
        for predicted, count in (("Folk", correct), ("Rock", tracks - correct))
    ]
    table = pd.DataFrame({"protocol": "official", "model": list(counts), "seeds": runs})
    table["poster_accuracy"] = [0.3638, 0.4638, 0.6532] if posters else [np.nan] * 3
    found = findings(results=table, confusions=pd.DataFrame(rows, columns=CONFUSIONS))
    assert cells.poster_table(found).to_numpy().tolist() == expected


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # A genre without tracks is not the hardest.
        ([[3, 0, 1], [0, 0, 0], [2, 0, 2]], ["75", "–", "50", "Rock", "Folk (50 %)"]),
        ([[3, 0, 0], [0, 1, 0], [0, 0, 2]], ["100", "100", "100", "–", "–"]),
        # If several are equally hard, none is named.
        ([[1, 1, 0], [0, 2, 0], [1, 0, 1]], ["50", "100", "50", "–", "–"]),
    ],
)
def test_recall_table_names_the_hardest_genre(counts: list[list[int]], expected: list[str]) -> None:
    genres = ["Folk", "Jazz", "Rock"]
    rows = [
        ("official", "knn", "test", genre, predicted, count)
        for genre, row in zip(genres, counts, strict=True)
        for predicted, count in zip(genres, row, strict=True)
    ]
    table = pd.DataFrame(rows, columns=CONFUSIONS)
    found = findings(confusions=table, genres=genre_table(table))
    assert cells.recall_table(found).to_numpy().tolist() == [["official", "kNN", *expected]]


def test_scores_table_has_intervals_where_they_are_known() -> None:
    genres = findings().genres
    genres.loc[genres["genre"] == "Folk", ["recall_low", "effective_artists"]] = np.nan
    table = cells.scores_table(findings(genres=genres), "artist", "crnn")
    assert table.to_numpy().tolist() == [
        ["Rock", "50.0 [10.0, 90.0]", "71.4", "58.8", "10", "5"],
        ["Folk", "80.0", "61.5", "69.6", "10", "–"],
    ]


def test_data_facts_and_quarantine_table() -> None:
    assert cells.data_facts(findings()) == {
        "usable": "5 tracks by 3 artists; 1 without an artist",
        "in quarantine": "2 tracks",
        "partly decoded": "2 tracks, 2.3 s missing in all, at most 1.9 s of one "
        "(tracks.parquet, lost_seconds)",
        "fma_small.zip": f"SHA-1 {'0' * 40}",
    }
    table = {"file": "mine.parquet", "sha1": "1" * 40, "columns": 128, "tracks": 5, "missing": [7]}
    assert cells.data_facts(findings(tables=[table]))["table mine.parquet"] == (
        f"the user's own, 128 columns, SHA-1 {'1' * 40}; lacks 1 track (7), predicted as the mean "
        "of the training set"
    )
    assert cells.quarantine_table(findings()).to_numpy().tolist() == [["short: … s", "2"]]
    shares = {"train": 0.2, "validation": 0.2, "test": 0.6}
    summary = split_summary(TRACKS, SUBSETS, shares)
    (row,) = cells.splits_table(findings(summaries={"artist": summary})).to_numpy().tolist()
    assert row[:-1] == ["artist", "1 (1)", "1 (1)", "3 (2)", "33.3 %", "0, 1"]
    assert row[-1] == "+30.0 points (Folk, training)"
    assert cells.genre_sizes(summary).to_numpy().tolist() == [
        ["Folk", "1 (1)", "0 (0)", "1 (1)"], ["Rock", "0 (0)", "1 (1)", "2 (1)"],
    ]  # fmt: skip
    untested = split_summary(TRACKS, SUBSETS.replace("test", "train"), None)
    (row,) = cells.splits_table(findings(summaries={"a": untested})).to_numpy().tolist()
    assert row[3:5] == ["0 (0)", "–"]


def test_results_table_marks_models_on_own_features() -> None:
    note = "Uses the user's own features (mine.parquet): VGGish."
    found = findings(models=MODELS | {"svm": MODELS["svm"] | {"note": note}})
    assert list(cells.results_table(found)["model"]) == ["kNN", "SVM †", "C-RNN"]
    assert cells.notes(found) == [f"† SVM: {note}"] and not cells.notes(findings())


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (1389.2, "23 min"), (14_000, "3.9 h")]
)
def test_duration_has_a_suitable_unit(seconds: float, text: str) -> None:
    assert cells.duration(seconds) == text


def test_provenance_lists_all_commits_and_versions() -> None:
    records = [{"commit": "b", "versions": {"x": "1"}}, {"commit": "", "versions": {"x": "2"}}]
    found = provenance(records, "c")
    assert found["runs"] == "b" and found["versions"] == "x 1, 2"
    assert found["report"].endswith(", c")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Files of a run without networks."""
    found = findings()
    names = ("results", "differences", "choice", "leaks", "genres", "confusions", "quarantine")
    for name in names:
        getattr(found, name).to_csv(tmp_path / f"{name}.csv", index=False)
    TRACKS.to_parquet(tmp_path / "tracks.parquet")
    SUBSETS.reset_index().to_parquet(tmp_path / "artist.parquet")
    write_json(tmp_path / "artist.json", found.summaries["artist"])
    write_json(tmp_path / "archives.json", found.archives)
    write_json(tmp_path / "params.json", {"commit": "c0ffee", "versions": {"torch": "2"}})
    confusion = [f"confusion/{p}/{m}.svg" for p in ("random", "artist") for m in MODELS]
    figures = [tmp_path / name for name in ["accuracy.svg", *confusion]]
    for figure in figures:
        figure.parent.mkdir(parents=True, exist_ok=True)
        figure.write_text(f"<svg>{figure.relative_to(tmp_path)}</svg>")
    return {name: tmp_path / f"{name}.csv" for name in names} | {
        "tracks": tmp_path / "tracks.parquet",
        "archives": tmp_path / "archives.json",
        "splits": [tmp_path / "artist.parquet"],
        "summaries": [tmp_path / "artist.json"],
        "feature_tables": [],
        "params": [tmp_path / "params.json"],
        "figures": figures,
    }


def test_report_page_equals_markdown(tmp_path: Path, files: dict[str, Any]) -> None:
    found = findings()
    params = {name: getattr(found, name) for name in ("dataset", "models", "confidence", "tuned")}
    settings = {"config": checked(), "benchmarks": tmp_path, "neighbours": ["filters.html"]}
    write_report(files, params | settings, "f00d", tmp_path / "index.html")
    write_results(Findings.read(files, params), tmp_path / "results.md")
    page = (tmp_path / "index.html").read_text().replace("\u00a0", " ")
    text = (tmp_path / "results.md").read_text()
    words = re.sub(r"\s+", " ", re.sub("<[^>]*>", "", page))
    both = ["C-RNN: 65.0 % accuracy", "40.0 ± 1.2 [50.0, 80.0]", "A note.", "short: … s", "33.3 %"]
    definition = "Accuracy under the random split minus accuracy under the artist split."
    for shown in [*both, "−0.032 [−0.040, +0.000]", "0" * 40, "95 % CI +5.0 to +40.0", definition]:
        assert shown in words, shown
        assert shown in text, shown
    for shown in (
        "&lt;b&gt;music",
        "c0ffee",
        "f00d",
        "torch 2",
        "resamples: 2000",
        'href="filters',
    ):
        assert shown in page, shown
    assert page.count("<svg>") == 7 and "<svg>confusion/artist/svm.svg</svg>" in page
    assert "Training</h2>" not in page and "poster" not in text
    assert "src=" not in page and "<link" not in page
