"""Metadata of a track that do not reveal its genre or artist.

Genre fields, tags, artist and album are left out.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FIELDS = ["duration", "bit_rate", "release_year"]


def metadata_fields(tracks: pd.DataFrame) -> NDArray[np.float32]:
    """Return the metadata fields of each track as numbers.

    Args:
        tracks: rows of tracks.parquet.

    Returns:
        (n, len(FIELDS)): logarithm of the duration in seconds, logarithm of the bit rate in
        bit/s, year of release; nan where unknown.
    """
    # Converted to UTC, because pandas cannot mix time zones.
    released = pd.to_datetime(tracks["released"], errors="coerce", format="ISO8601", utc=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        duration, bit_rate = np.log(
            tracks[["duration", "bit_rate"]].apply(pd.to_numeric, errors="coerce").to_numpy(float).T
        )
    table = np.column_stack([duration, bit_rate, released.dt.year.to_numpy(float)])
    return np.where(np.isfinite(table), table, np.nan).astype(np.float32)
