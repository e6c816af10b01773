"""Feature tables provided by users: reading, reporting and rejecting them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from songnet.errors import SongNetError
from songnet.features.tables import match_feature_table, read_feature_table, write_feature_table
from songnet.io import read_json
from songnet.models.baselines import fit_baseline
from songnet.pipeline.plan import features_of, model_note, selected_models
from tests.configured import DATASETS, ENCODERS, MODELS, checked

NAMES = pd.Series({3: "Rock/a.mp3", 1: "Folk/b.mp3"})


def table(tracks: int = 40, columns: int = 3) -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(tracks, columns))
    found = pd.DataFrame(values, columns=[f"x{i}" for i in range(columns)])
    found.insert(0, "track_id", range(100, 100 + tracks))
    return found


def written(folder: Path, content: pd.DataFrame) -> str:
    path = folder / "mine.parquet"
    content.to_parquet(path)
    return str(path)


@pytest.mark.parametrize("as_index", [False, True])
def test_read_feature_table_takes_track_id_as_column_or_index(
    tmp_path: Path, as_index: bool
) -> None:
    given = table().set_index("track_id") if as_index else table()
    found = read_feature_table(written(tmp_path, given), "mine")
    assert list(found.index[:2]) == [100, 101] and found.shape == (40, 3)
    assert set(found.dtypes) == {np.dtype("float32")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.rename(columns={"track_id": "id"}), "lacks a column track_id of integers"),
        (lambda t: t.astype({"track_id": str}), "lacks a column track_id of integers"),
        (lambda t: t.assign(x1="loud"), "column x1 is not numeric"),
        (lambda t: t[["track_id"]], "has no column besides track_id"),
        (lambda t: pd.concat([t, t[:1]]), "has track 100 twice"),
    ],
)
def test_read_feature_table_reports_wrong_values(tmp_path: Path, change: Any, message: str) -> None:
    path = written(tmp_path, change(table()))
    with pytest.raises(SongNetError, match=rf"^config key tables\.mine: {path}: {message}"):
        read_feature_table(path, "mine")


def test_read_feature_table_refuses_other_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    path.write_text("track_id,x\n1,2\n")
    with pytest.raises(SongNetError, match="not a Parquet file") as error:
        read_feature_table(str(path), "mine")
    assert "\n" not in str(error.value)


def test_read_feature_table_refuses_row_numbers(tmp_path: Path) -> None:
    """Rows are often sorted by genre or artist."""
    path = tmp_path / "mine.csv"
    table().to_csv(path)
    with pytest.raises(SongNetError, match=r"column 1 has no name; .* \(index=False\)"):
        read_feature_table(str(path), "mine")


@pytest.mark.parametrize("key", ["track_id", "file_name"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_match_feature_table_finds_tracks_by_number_or_name(
    tmp_path: Path, key: str, suffix: str
) -> None:
    keys = {"track_id": [1, 2, 3], "file_name": ["Folk/b.mp3", "x", "Rock/a.mp3"]}
    given = pd.DataFrame({"x": [1.0, 2.0, 3.0], key: keys[key], "y": [4, 5, 6]})
    path = tmp_path / f"vectors{suffix}"
    if suffix == ".csv":
        given.to_csv(path, index=False)
    else:
        given.to_parquet(path)
    found, missing = match_feature_table(str(path), "mine", NAMES)
    assert found.index.tolist() == [3, 1] and not missing
    np.testing.assert_array_equal(found.to_numpy(), [[3, 6], [1, 4]])


def test_match_feature_table_by_name_needs_file_names(tmp_path: Path) -> None:
    path = written(tmp_path, pd.DataFrame({"file_name": ["a"], "x": [1.0]}))
    with pytest.raises(SongNetError, match=r"lacks a column track_id of integers$"):
        match_feature_table(path, "mine", pd.Series(["", ""], [1, 2]))


def test_missing_table_rows_are_listed_and_predicted_as_mean(tmp_path: Path) -> None:
    given = table(60)
    given.loc[3, "x1"] = np.nan  # an incomplete row is missing, too
    path = written(tmp_path, given.drop(index=[59]))
    ids = pd.RangeIndex(100, 160, name="track_id")
    names = pd.Series("", ids)
    output, facts = str(tmp_path / "out.parquet"), str(tmp_path / "out.json")
    assert write_feature_table(path, "mine", names, output, facts) == [103, 159]
    assert read_json(facts)["missing"] == [103, 159] and read_json(facts)["columns"] == 3
    features = pd.read_parquet(output)
    assert list(features.index) == list(ids)
    genres = pd.Series(np.where(np.arange(60) % 2, "Pop", "Rock"), ids)
    subsets = pd.Series(["train"] * 40 + ["validation"] * 20, ids)
    model = MODELS["logistic_regression"] | {"features": "mine"}
    fitted = fit_baseline(model, features, genres, subsets, 1)[0]
    mean = features[subsets == "train"].mean().to_frame().T
    np.testing.assert_allclose(
        fitted.predict(features.loc[[159]])[1], fitted.predict(mean)[1], atol=1e-5
    )


def test_baseline_needs_features_of_every_genre() -> None:
    ids = pd.RangeIndex(40)
    known = np.where(np.arange(40) % 2, np.arange(40.0), np.nan)
    features = pd.DataFrame({"x": known}, ids)
    genres = pd.Series(np.where(np.arange(40) % 2, "Pop", "Folk"), ids)
    subsets = pd.Series(["train"] * 30 + ["validation"] * 10, ids)
    model = MODELS["logistic_regression"] | {"features": "mine"}
    with pytest.raises(SongNetError, match="mine: no training track of the genre 'Folk' has"):
        fit_baseline(model, features, genres, subsets, 1)


def test_write_feature_table_refuses_other_tracks(tmp_path: Path) -> None:
    path = written(tmp_path, table())
    names = pd.Series("", pd.RangeIndex(110, 150))
    with pytest.raises(SongNetError, match=r"lacks 10 of the 40 tracks \(first: 140, 141, 142\)"):
        write_feature_table(path, "mine", names, str(tmp_path / "o"), str(tmp_path / "f"))


def test_selected_models_of_table_need_the_table(tmp_path: Path) -> None:
    path = written(tmp_path, table())
    config, dataset = checked(tables={"vggish": path}), DATASETS["demo"]
    models = selected_models(config, dataset, MODELS, ENCODERS)
    assert {"svm_vggish", "fusion_vggish"} <= set(models)
    assert features_of(models["svm_vggish"]) == "vggish" and features_of(models["svm"]) == "fma"
    assert "mine.parquet" in model_note("fusion_vggish", models, config, {})
    noted = checked(tables={"vggish": {"path": path, "note": "trained on speech"}})
    note = model_note("svm_vggish", models, noted, {})
    assert note.endswith("(mine.parquet): trained on speech.")
    assert not model_note("fusion", models, config, {})
    assert "svm_vggish" not in selected_models(checked(), dataset, MODELS, ENCODERS)
    with pytest.raises(SongNetError, match="'svm_vggish' needs the table 'vggish'"):
        selected_models(checked() | {"models": ["svm_vggish"]}, dataset, MODELS, ENCODERS)
    with pytest.raises(SongNetError, match=r"tables\.mine: no model uses this table"):
        checked(tables={"mine": path})


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"vggish": "/no.parquet"}, "tables.vggish: /no.parquet: no such file"),
        ({"mfcc": "x"}, "tables.mfcc.*is reserved for FMA's"),
        ({"a-b": "x"}, "tables.a-b"),
        ({"vggish": {"file": "x"}}, "tables.vggish.file is unknown"),
    ],
)
def test_check_refuses_wrong_tables(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(SongNetError, match=f"^config key {message}") as error:
        checked(tables=tables)
    assert "\n" not in str(error.value)
