"""FMA's features.csv: only what is wanted, with FMA's columns."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songnet.errors import SongNetError
from songnet.fma_features import columns
from songnet.published_features import read_features


@pytest.fixture
def published(tmp_path: Path) -> tuple[str, pd.DataFrame]:
    """500 tracks as FMA writes them: three header rows and one that names the index."""
    values = np.random.default_rng(0).normal(size=(500, 518))
    table = pd.DataFrame(values, columns=columns(), index=pd.RangeIndex(2, 502, name="track_id"))
    path = tmp_path / "fma_metadata.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("fma_metadata/features.csv", table.to_csv())
    return str(path), table


def test_wanted_rows_in_the_wanted_order(published: tuple[str, pd.DataFrame]) -> None:
    path, table = published
    wanted = pd.Index([400, 7, 2, 501])
    found = read_features(path, wanted)
    assert found.index.equals(wanted)
    assert found.columns.equals(columns())
    assert (found.dtypes == "float32").all()
    np.testing.assert_allclose(found, table.loc[wanted], rtol=1e-6)
    assert found["mfcc"].shape == (4, 140)


def test_missing_tracks_are_named(published: tuple[str, pd.DataFrame]) -> None:
    with pytest.raises(SongNetError, match=r"lacks 1 of the tracks \(first: 999\)"):
        read_features(published[0], pd.Index([2, 999]))


def test_an_archive_without_the_file(tmp_path: Path) -> None:
    path = tmp_path / "fma_metadata.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fma_metadata/tracks.csv", "")
    with pytest.raises(SongNetError, match=r"has no fma_metadata/features\.csv"):
        read_features(str(path), pd.Index([2]))
