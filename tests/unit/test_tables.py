"""Names in tables are read back unchanged."""

from pathlib import Path

import pandas as pd
import pytest

from songnet.evaluation.genre_tables import genre_table
from songnet.evaluation.table_files import read_table, write_table
from songnet.formatting import markdown_text
from songnet.report.findings import Findings
from songnet.report.markdown import write_results
from tests.conftest import ROOT


@pytest.mark.parametrize(
    "names", [["1980", "1990"], ["None", "NA"], ["007", "nan"], ["=Classical", "'=x|<b>"]]
)
def test_read_table_keeps_names_like_numbers_or_missing(tmp_path: Path, names: list[str]) -> None:
    rows = [
        ("artist", names[0], "test", genre, predicted, tracks)
        for genre, right in zip(names, (3, 4), strict=True)
        for predicted in names
        for tracks in [right if predicted == genre else 5 - right]
    ]
    columns = ["protocol", "model", "subset", "genre", "predicted", "predictions"]
    confusions = pd.DataFrame(rows, columns=columns)
    results = pd.DataFrame(
        {"protocol": "artist", "model": names[:1], "seeds": 1, "splits": 1, "accuracy": 0.4,
         "accuracy_sd": None, "ci_low": 0.3, "ci_high": 0.5, "macro_f1": 0.4,
         "poster_accuracy": None, "train_seconds": 1.0, "effective_artists": 40.0,
         "validation_accuracy": 0.5}
    )  # fmt: skip
    differences = pd.DataFrame(columns=["protocol", "model", "reference"])
    leaks = pd.DataFrame(columns=["model"])
    tables = {
        "results": results, "differences": differences, "choice": differences, "leaks": leaks,
        "genres": genre_table(confusions), "confusions": confusions,
    }  # fmt: skip
    for name, table in tables.items():
        write_table(table, tmp_path / f"{name}.csv")
    read = {name: read_table(tmp_path / f"{name}.csv") for name in tables}
    pd.testing.assert_frame_equal(read["confusions"], confusions)
    assert read["results"]["accuracy_sd"].isna().all()
    found = Findings(
        dataset={"title": "Years", "note": ""},
        models={names[0]: {"title": "a model", "family": "crnn"}},
        tracks=pd.DataFrame({"genre": names, "artist_id": [1, 2], "lost_seconds": 0.0}),
        quarantine=pd.DataFrame({"track_id": [], "reason": pd.Series([], dtype=str)}),
        archives={},
        splits={"artist": pd.Series(["test", "test"])},
        summaries={},
        tables=[],
        tuned=[],
        confidence=0.95,
        **read,
    )
    write_results(found, tmp_path / "results.md")
    page = (tmp_path / "results.md").read_text()
    assert f"{markdown_text(names[1])} (40 %)" in page
    assert "poster" not in page  # there is no figure for these data


def test_report_modules_use_read_table() -> None:
    for name in ("findings", "figures"):
        text = (ROOT / f"src/songnet/report/{name}.py").read_text()
        assert "read_table(" in text
        # Other files contain no names of genres or models.
        others = [line for line in text.splitlines() if "read_csv(" in line]
        assert all("quarantine" in line or "histories" in line for line in others)
