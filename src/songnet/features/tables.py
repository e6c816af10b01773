"""Tables of features that users bring: any Parquet file with a row for each track."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songnet.errors import SongNetError
from songnet.io import replacing, sha1, write_json

# With more tracks missing, a model would say more about which are missing than about the features.
MOST_MISSING = 0.05
NAMED = 3  # missing tracks that an error names


def write_feature_table(
    path: str, name: str, track_ids: pd.Index, output: str, facts: str
) -> list[int]:
    """Bring a user's table into the order of the tracks.

    Args:
        path: of the Parquet file.
        name: of the table, as models name it.
        track_ids: all tracks of the data set.
        output: path of the features, float32, index track_id; missing tracks have NaN.
        facts: path of a JSON file: file, sha1, columns, tracks, missing (track ids).

    Returns:
        The missing tracks.

    Raises:
        SongNetError: as `read_feature_table`, or too many tracks are missing.
    """
    table = read_feature_table(path, name)
    missing = [int(i) for i in track_ids[~track_ids.isin(table.index)]]
    if len(missing) > MOST_MISSING * len(track_ids):
        first = ", ".join(map(str, missing[:NAMED]))
        raise SongNetError(
            f"config key tables.{name}: {path} lacks {len(missing):,} of the {len(track_ids):,} "
            f"tracks (first: {first}), more than {MOST_MISSING:.0%}: add their rows"
        )
    with replacing(output) as temporary:
        table.reindex(track_ids).to_parquet(temporary)
    write_json(
        facts,
        {
            "file": Path(path).name,
            "sha1": sha1(path),
            "columns": table.shape[1],
            "tracks": len(track_ids),
            "missing": missing,
        },
    )
    return missing


def read_feature_table(path: str, name: str) -> pd.DataFrame:
    """Read a Parquet file with ``track_id``, as a column or the index, and numeric columns.

    Args:
        path: of the file.
        name: of the table.

    Returns:
        float32, index track_id; a row with a value that is not finite is left out.

    Raises:
        SongNetError: the file is no such table, or has a track twice.
    """
    where = f"config key tables.{name}: {path}"
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise SongNetError(f"{where}: not a Parquet file: {_first_line(error)}") from None
    if "track_id" in table:
        table = table.set_index("track_id")
    if table.index.name != "track_id" or not pd.api.types.is_integer_dtype(table.index):
        raise SongNetError(f"{where}: lacks a column track_id of integers")
    if words := [str(column) for column, kind in table.dtypes.items() if not _is_number(kind)]:
        raise SongNetError(f"{where}: column {words[0]} is not numeric")
    if not table.shape[1]:
        raise SongNetError(f"{where}: has no column beside track_id")
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise SongNetError(f"{where}: has track {twice} twice")
    table = table.astype(np.float32)
    table.columns = [str(column) for column in table.columns]
    return table[np.isfinite(table).all(axis=1)]


def _is_number(kind: Any) -> bool:
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
