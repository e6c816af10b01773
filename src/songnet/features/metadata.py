"""What is known of a track before anyone has labelled it.

Genre fields, tags, artist and album are left out: they give the genre or the artist away.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FIELDS = ["duration", "bit_rate", "release_year"]


def metadata_fields(tracks: pd.DataFrame) -> NDArray[np.float32]:
    """Fields of each track as numbers.

    Args:
        tracks: rows of tracks.parquet.

    Returns:
        (n, len(FIELDS)): logarithm of the duration in seconds, logarithm of the bit rate in
        bit/s, year of release; nan where unknown.
    """
    # In one time zone: pandas refuses several.
    released = pd.to_datetime(tracks["released"], errors="coerce", format="ISO8601", utc=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        duration, bit_rate = np.log(
            tracks[["duration", "bit_rate"]].apply(pd.to_numeric, errors="coerce").to_numpy(float).T
        )
    table = np.column_stack([duration, bit_rate, released.dt.year.to_numpy(float)])
    return np.where(np.isfinite(table), table, np.nan).astype(np.float32)
