"""The report's numbers and sentences."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from songnet.data.splits import split_summary
from songnet.evaluation.runs import RunName
from songnet.evaluation.tables import genre_table
from songnet.report import page as report_page
from songnet.report import sentences
from songnet.report import values as report_values
from songnet.report.pages import write_page
from tests.configured import checked

MODELS: dict[str, dict[str, Any]] = {
    "knn": {"title": "kNN", "family": "baseline"},
    "svm": {"title": "SVM", "family": "baseline"},
    "crnn": {"title": "C-RNN", "family": "crnn"},
}
# Tracks of (Folk, Rock) that are right, of ten each, in (validation, test).
RIGHT = {"knn": [(9, 5), (4, 4)], "svm": [(3, 3), (9, 9)], "crnn": [(9, 7), (8, 5)]}


def confusions(parts: tuple[str, ...] = ("validation", "test")) -> pd.DataFrame:
    rows = []
    for protocol in ("random", "artist"):
        for model, of_parts in RIGHT.items():
            for part, right in zip(("validation", "test"), of_parts, strict=True):
                for genre, other, count in zip(
                    ("Folk", "Rock"), ("Rock", "Folk"), right, strict=True
                ):
                    if part in parts:
                        rows.append((protocol, model, part, genre, genre, count))
                        rows.append((protocol, model, part, genre, other, 10 - count))
    columns = ["protocol", "model", "part", "genre", "predicted", "verdicts"]
    return pd.DataFrame(rows, columns=columns)


def results() -> pd.DataFrame:
    rows = [
        (
            protocol,
            model,
            2,
            1,
            sum(test) / 20 + leak,
            0.5,
            0.8,
            0.6,
            None,
            3.0,
            0.01,
            sum(validation) / 20,
        )
        for protocol, leak in [("random", 0.1), ("artist", 0.0)]
        for model, (validation, test) in RIGHT.items()
    ]
    columns = [
        "protocol", "model", "seeds", "divisions", "accuracy", "ci_low", "ci_high", "macro_f1",
        "poster_accuracy", "train_seconds", "accuracy_sd", "validation_accuracy",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def differences() -> pd.DataFrame:
    columns = ["protocol", "model", "reference", "difference", "ci_low", "ci_high", "pairs"]
    return pd.DataFrame([("artist", "knn", "crnn", 0.25, 0.05, 0.4, 1)], columns=columns)


def leaks() -> pd.DataFrame:
    columns = ["model", "random", "artist", "leak", "ci_low", "ci_high"]
    return pd.DataFrame([(model, 0.5, 0.4, 0.1, 0.05, 0.2) for model in RIGHT], columns=columns)


TRACKS = pd.DataFrame(
    {
        "genre": ["Folk", "Folk", "Rock", "Rock", "Rock"],
        "artist_id": [1, 2, 1, 3, np.nan],
        "lost_seconds": [0, 1.9, 0, 0.4, 0],
    },
    index=pd.Index([10, 11, 12, 13, 14]),
)
PARTS = pd.Series(["train", "test", "test", "validation", "test"], TRACKS.index)


def headline(**changed: Any) -> dict[str, Any]:
    given = {
        "results": results(), "differences": differences(), "confusions": confusions(),
        "leaks": leaks(), "models": MODELS, "tracks": TRACKS, "splits": {"artist": PARTS},
    }  # fmt: skip
    return report_values.headline(**(given | changed))


def test_divisions_are_told_in_words() -> None:
    summary = split_summary(TRACKS, PARTS, None)
    assert sentences.division_text(summary) == (
        "train 1 tracks of 1 artists, validation 1 tracks of 1 artists, test 3 tracks of 2 "
        "artists. 33.3 % of the test tracks are by artists of the training part, as far as is "
        "known: 1 of them and 0 of the training part name no artist."
    )
    summary = split_summary(TRACKS, PARTS.replace("test", "train"), None)
    assert sentences.division_text(summary).endswith(
        "validation 1 tracks of 1 artists; no test part."
    )


def test_the_headline_is_chosen_on_validation() -> None:
    found = headline()
    assert (found["protocol"], found["part"], found["model"]) == ("artist", "test", "crnn")
    # kNN is the best baseline on validation, though SVM is the better one on test.
    assert found["baseline"] == "knn" and found["baseline_accuracy"] == 0.4
    assert found["accuracy"] == 0.65 and found["difference"] == [0.25, 0.05, 0.4]
    assert found["leak"][0] == pytest.approx(0.1) and found["guess"] == 0.5
    # A track that names no artist is one of its own.
    assert (found["tracks"], found["artists"], found["effective_artists"]) == (3, 2, 3)
    assert sentences.title(found, "C-RNN").startswith("C-RNN: right on 65.0 % of tracks by art")
    few = " ".join(sentences.certainty(found, "C-RNN", "kNN", 0.95))
    assert (
        "(3 tracks of 2 artists, 1 of them of none that is named, which weigh as 3 of equal size, "
        "2 runs), which of so few artists" in few
    )
    assert "is too narrow." in few
    assert "[+5.0, +40.0], of too few artists to say more." in few
    many = found | {"artists": 50, "unnamed": 0, "effective_artists": 31.4}
    text = " ".join(sentences.certainty(many, "C-RNN", "kNN", 0.95))
    assert "(3 tracks of 50 artists, which weigh as 31 of equal size, 2 runs)." in text
    assert (
        "right on 40.0 %; C-RNN less it, track for track: +25.0 points [+5.0, +40.0], more than "
        "the choice of artists explains." in text
    )
    assert "less that above: +10.0 points [" in text
    assert "Guessing is right on 50.0 %, always naming the largest genre on 66.7 %." in text


def test_tracks_of_several_divisions_count_once() -> None:
    found = headline(splits={"artist": PARTS, "artist-2": PARTS, "random": PARTS})
    assert (found["divisions"], found["tracks"], found["artists"]) == (2, 3, 2)


def test_a_named_reference_is_the_headline() -> None:
    nothing = differences().iloc[:0]
    table = confusions(parts=("validation",))
    assert headline(reference="svm")["model"] == "svm"
    assert headline(reference="svm", differences=nothing, confusions=table)["model"] == "svm"
    # Without one it is a network, though kNN is as good on validation.
    assert headline(differences=nothing, confusions=table)["model"] == "crnn"


def test_the_official_division_is_not_always_fmas() -> None:
    found = headline()
    assert "tracks of the official test part" in sentences.title(
        found | {"protocol": "official"}, "C-RNN"
    )
    assert "other data need not" in sentences.PROTOCOLS["official"]


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((-0.1, 0.3), "which the choice of artists and of trainings could explain"),
        ((-0.3, -0.1), "the baseline is better by more than the choice of artists and of"),
    ],
)
def test_what_the_choice_of_artists_explains_is_said_so(
    interval: tuple[float, float], words: str
) -> None:
    found = headline() | {"effective_artists": 50.0}
    found["difference"] = [sum(interval) / 2, *interval]
    assert words in " ".join(sentences.certainty(found | {"pairs": 3}, "C-RNN", "kNN", 0.95))
    of_one = " ".join(sentences.certainty(found, "C-RNN", "kNN", 0.95))
    assert words.replace(" and of trainings", "").removesuffix(" and of") in of_one


def test_a_difference_has_the_sign_of_the_table() -> None:
    found = headline() | {"difference": [-0.038, -0.164, 0.091], "leak": [-0.02, -0.05, 0.01]}
    text = " ".join(sentences.certainty(found, "C-RNN", "kNN", 0.95))
    assert "C-RNN less it, track for track: −3.8 points [−16.4, +9.1]" in text
    assert "less that above: −2.0 points [−5.0, +1.0]" in text


def test_without_a_test_part() -> None:
    table = confusions(parts=("validation",))
    missing = results().assign(accuracy=None, ci_low=None, ci_high=None)
    nothing = differences().iloc[:0]
    found = headline(results=missing, differences=nothing, leaks=leaks().iloc[:0], confusions=table)
    assert (found["part"], found["model"], found["ci_low"]) == ("validation", "crnn", None)
    assert found["accuracy"] == 0.8 and found["leak"] is None
    assert "no test part" in sentences.certainty(found, "C-RNN", None, 0.95)[0]


def test_the_poster_is_quoted_beside_its_own_model() -> None:
    claimed = results().assign(poster_accuracy=[0.36, 0.46, 0.65] * 2)
    claim = report_values.poster_claim(claimed, MODELS, "artist")
    assert claim is not None and claim["accuracies"] == {"artist": 0.65, "random": 0.75}
    found = headline(results=claimed)
    text = sentences.certainty(found, "C-RNN", "kNN", 0.95, claim)[-1]
    assert text == (
        "The poster gives 65.00 % for its C-RNN, which we count to the random split. Trained here, "
        "it is right on 65.0 % under artist, on 75.0 % under random."
    )
    alone = report_values.poster_claim(claimed.query("protocol == 'artist'"), MODELS, "artist")
    assert sentences.certainty(found, "C-RNN", "kNN", 0.95, alone)[-1].endswith(
        "right on 65.0 % under artist."
    )
    assert report_values.poster_claim(results(), MODELS, "artist") is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (1389.2, "23 min"), (14_000, "3.9 h")]
)
def test_times_have_the_unit_that_suits_them(seconds: float, text: str) -> None:
    assert sentences.duration(seconds) == text


def test_rows_and_genres() -> None:
    rows = report_values.result_rows(results(), differences(), leaks(), MODELS, "artist")
    assert [row["model"] for row in rows] == ["knn", "svm", "crnn"]
    assert rows[0]["protocols"]["random"]["accuracy"] == pytest.approx(0.5)
    assert rows[0]["poster"] is None and rows[0]["leak"] == [0.1, 0.05, 0.2]
    assert rows[0]["difference"] == [0.25, 0.05, 0.4] and rows[2]["difference"] is None
    scores = pd.DataFrame(
        [
            ("artist", model, "test", *row)
            for model in RIGHT
            for row in (
                ("Rock", 0.1, 0.2, 0.3, 10, 0.1, 0.4, 2.5),
                ("Folk", np.nan, np.nan, np.nan, 0, np.nan, np.nan, np.nan),
            )
        ],
        columns=["protocol", "model", "part", "genre", "precision", "recall", "f1", "verdicts",
                 "recall_low", "recall_high", "effective_artists"],
    )  # fmt: skip
    values = report_values.genre_values(confusions(), scores, {"artist": "test"})
    assert values["artist"]["crnn"]["counts"] == [[8, 2], [5, 5]]
    # Folk has no track there: it is neither found nor missed.
    assert values["artist"]["crnn"]["recall"] == [None, 0.2]
    assert values["artist"]["crnn"]["recall_low"] == [None, 0.1]


def test_curves_tell_the_epoch_that_was_kept() -> None:
    history = pd.DataFrame(
        {"epoch": [1, 2], "kept": [1, 1], "train_loss": [2.0, 1.0], "validation_loss": [1.5, 1.25],
         "validation_accuracy": [0.6, 0.5], "loading": [0.0, 0.0]}
    )  # fmt: skip
    (run,) = report_values.curves({RunName("artist-2", "crnn", "3"): history})
    assert run == {
        "split": "artist-2", "protocol": "artist", "model": "crnn", "seed": "3", "epoch": [1, 2],
        "kept": [1, 1], "train_loss": [2.0, 1.0], "validation_loss": [1.5, 1.25],
        "validation_accuracy": [0.6, 0.5],
    }  # fmt: skip


def test_heard_and_provenance() -> None:
    heard = pd.DataFrame(
        [
            ("artist", "crnn", "test", 1.0, 0.3, 0.2, 0.4),
            ("artist", "crnn", "test", 2.0, 0.4, 0.3, 0.5),
        ],
        columns=["protocol", "model", "part", "seconds", "accuracy", "ci_low", "ci_high"],
    )
    (line,) = report_values.heard_lines(heard)
    assert (line["seconds"], line["accuracy"]) == ([1.0, 2.0], [0.3, 0.4])
    assert (line["ci_low"], line["ci_high"]) == ([0.2, 0.3], [0.4, 0.5])
    records = [{"commit": "b", "versions": {"x": "1"}}, {"commit": "", "versions": {"x": "2"}}]
    assert report_values.provenance(records) == {"commits": ["b"], "versions": {"x": ["1", "2"]}}


MADE = report_page.Made(
    results=results(),
    differences=differences(),
    leaks=leaks(),
    genres=genre_table(confusions()).assign(
        recall_low=0.1, recall_high=0.9, effective_artists=np.nan
    ),
    confusions=confusions(),
    heard=None,
    tracks=TRACKS,
    quarantine=pd.DataFrame({"track_id": [7], "reason": ["empty file"]}),
    splits={"artist": PARTS, "random": PARTS},
    summaries={name: split_summary(TRACKS, PARTS, None) for name in ("artist", "random")},
    records=[{"commit": "c0ffee", "versions": {"torch": "2"}}],
    histories={},
    runtime=pd.DataFrame(
        {"jobs": [2], "seconds": [90.0], "peak": [100.0]}, index=pd.Index(["fuse"], name="rule")
    ),
    archives={"fma_small.zip": "0" * 40},
)


def written(folder: Path, **changed: Any) -> str:
    """The report of a run."""
    dataset = {"title": "<b>music", "note": "A note.", "source": "archives"}
    values = report_page.page_values(replace(MADE, **changed), dataset, MODELS, checked(), [])
    path = folder / "page.html"
    write_page("report.html", path, version="1", commit="", plotly="", **values)
    return path.read_text()


def table_of(page: str) -> str:
    return page.partition('id="table">')[2].partition("</table>")[0]


def test_the_report_says_what_was_made(tmp_path: Path) -> None:
    page = written(tmp_path)
    assert "<h1>C-RNN: right on 65.0" in page and "&lt;b&gt;music" in page
    lost = "Of 2 of them, 2.3 s in all could not be decoded (at most 1.9 s of one"
    for text in ("A note.", "5 usable tracks of 3 artists; 1 in quarantine.", "empty file", lost,
                 "90.0 s of jobs", "c0ffee", "torch 2", "0" * 40, "resamples: 2000"):  # fmt: skip
        assert text in page, text
    assert "Training</h2>" not in page and "How soon" not in page


def test_a_column_without_figures_is_left_out(tmp_path: Path) -> None:
    alone = results().query("protocol == 'artist'")
    nothing = {"differences": differences().iloc[:0], "leaks": leaks().iloc[:0]}
    table = table_of(written(tmp_path, results=alone, **nothing))
    assert "leak" not in table and "less it" not in table and "poster" not in table
    table = table_of(written(tmp_path))
    assert "+25.0<br><small>[+5.0, +40.0]" in table and "C-RNN less it" in table
    assert "+10.0<br><small>[" in table and "leak" in table


def test_a_score_of_zero_is_a_figure(tmp_path: Path) -> None:
    zero = results().assign(macro_f1=0.0, train_seconds=1.0)
    row = table_of(written(tmp_path, results=zero)).partition(">kNN<")[2].partition("</tr>")[0]
    figures = re.findall(r'<td class="n" data-value="(\S+)">([^<]+)</td>', row)
    assert figures == [("0.0", "0.0"), ("1.0", "1.0 s")]
    claimed = results().assign(poster_accuracy=0.4638)
    assert "46.38" in table_of(written(tmp_path, results=claimed))
