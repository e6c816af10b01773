"""Features from tables of one's own."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songnet.data.feature_tables import gather_features, read_own
from songnet.errors import SongNetError
from songnet.models.baselines import feature_matrix

NAMES = pd.Series({3: "Rock/a.mp3", 1: "Folk/b.mp3"})


@pytest.mark.parametrize("key", ["track_id", "file_name"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_read_own_finds_tracks_by_number_or_name(tmp_path: Path, key: str, suffix: str) -> None:
    keys = {"track_id": [1, 2, 3], "file_name": ["Folk/b.mp3", "x", "Rock/a.mp3"]}
    table = pd.DataFrame({"x": [1.0, 2.0, 3.0], key: keys[key], "y": [4, 5, 6]})
    path = tmp_path / f"vectors{suffix}"
    if suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.set_index(key).to_parquet(path)
    features = read_own(str(path), NAMES)
    assert features.index.tolist() == [3, 1]
    np.testing.assert_array_equal(features.to_numpy(), [[3, 6], [1, 4]])
    for kind in ("mfcc", "all"):  # it has no parts, so baselines read all of it
        np.testing.assert_array_equal(feature_matrix(features, kind), [[3, 6], [1, 4]])
    # As other features, it survives being written.
    features.to_parquet(tmp_path / "fma.parquet")
    assert pd.read_parquet(tmp_path / "fma.parquet").columns.equals(features.columns)
    tracks = NAMES.to_frame("file_name")
    pd.testing.assert_frame_equal(gather_features("table", [str(path)], "", tracks, 1), features)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,x\n1,2\n", "has neither a column track_id nor file_name"),
        ("track_id,x\n1,2\n", "lacks 1 of the tracks (first: 3)"),
        ("file_name,x\nFolk/b.mp3,2\n", "lacks 1 of the tracks (first: Rock/a.mp3)"),
        ("track_id,x\n1,2\n3,4\n3,5\n", "has the track_id 3 twice"),
        ("track_id,x,y\n1,2,3\n3,4,\n", "track_id 3 has no y"),
        ("track_id,x\n1,a\n3,b\n", "a feature is not a number: "),
        ("track_id\n1\n3\n", "has no features"),
        ("", "is not a table of features: "),
    ],
)
def test_read_own_names_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "vectors.csv"
    path.write_text(text)
    with pytest.raises(SongNetError) as error:
        read_own(str(path), NAMES)
    assert str(error.value).startswith(f"{path}: {message}")
    assert "\n" not in str(error.value)
