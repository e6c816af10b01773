"""Metadata in the C-RNN: only fields that do not leak the label."""

from pathlib import Path

import numpy as np
import pandas as pd

from songnet.data.tracks import OPTIONAL, REQUIRED, read_tracks
from songnet.features.metadata import FIELDS, metadata_fields

KNOWN_BEFORE = {"duration", "bit_rate", "released"}


def tracks() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "duration": [168, 0, None],
            "bit_rate": [256000, None, 192000],
            "released": ["2009-01-05 00:00:00", None, "not a date"],
            "genre": ["Rock", "Folk", "Pop"],
            "genres_all": ["[12]", "[17]", "[10]"],
            "artist_id": [1, 2, 3],
        }
    )


def test_metadata_fields_values() -> None:
    table = metadata_fields(tracks())
    assert table.shape == (3, len(FIELDS)) and table.dtype == np.float32
    np.testing.assert_allclose(table[0], [np.log(168), np.log(256000), 2009], rtol=1e-6)
    assert np.isnan(table[1]).all()
    assert np.isnan(table[2]).tolist() == [True, False, True]


def test_metadata_fields_of_dates_with_time_zones() -> None:
    dates = ["2009-01-05T00:00:00+02:00", "2010-12-01", "2011-06-01T12:00:00Z"]
    table = metadata_fields(tracks().assign(released=dates))
    np.testing.assert_array_equal(table[:, 2], [2009, 2010, 2011])


def test_metadata_fields_ignore_other_columns() -> None:
    """Genre fields, tags, artist and album leak, so their values and names are not used."""
    others = (set(REQUIRED.values()) | set(OPTIONAL.values())) - KNOWN_BEFORE
    changed = tracks()
    for column in others:
        changed[column] = "something else"
    np.testing.assert_array_equal(metadata_fields(changed), metadata_fields(tracks()))
    bare = tracks()[sorted(KNOWN_BEFORE)]
    np.testing.assert_array_equal(metadata_fields(bare), metadata_fields(tracks()))


def test_demo_metadata_do_not_reveal_genre(archives: Path) -> None:
    demo = read_tracks(str(archives / "fma_metadata.zip"))
    assert (demo["duration"] % 3).groupby(demo["genre"]).nunique().min() > 1
    years = pd.to_datetime(demo["released"]).dt.year.groupby(demo["genre"])
    assert years.min().max() <= years.max().min()
