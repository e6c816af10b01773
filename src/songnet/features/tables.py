"""Feature tables provided by users: CSV or Parquet files with one row per track."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songnet.errors import SongNetError
from songnet.formatting import percent
from songnet.io import replacing, sha1, write_json

KEYS = ("file_name", "track_id")  # columns that identify the track of a row
# If more tracks are missing, the results say more about the missing tracks than about the features.
MOST_MISSING = 0.05
NAMED = 3  # missing tracks that an error lists


def write_feature_table(
    path: str, name: str, file_names: pd.Series, output: str, facts: str
) -> list[int] | list[str]:
    """Write a user's table in the order of the tracks.

    Args:
        path: path of the table.
        name: name of the table in models.yaml.
        file_names: file names of all tracks of the data set, index track_id.
        output: output path of the features, float32, index track_id; missing tracks have NaN.
        facts: output path of a JSON file with file, sha1, columns, tracks and missing.

    Returns:
        The missing tracks, by the key of the table.

    Raises:
        SongNetError: as in `match_feature_table`.
    """
    table, missing = match_feature_table(path, name, file_names)
    with replacing(output) as temporary:
        table.to_parquet(temporary)
    write_json(
        facts,
        {
            "file": Path(path).name,
            "sha1": sha1(path),
            "columns": table.shape[1],
            "tracks": len(table),
            "missing": missing,
        },
    )
    return missing


def match_feature_table(
    path: str, name: str, file_names: pd.Series
) -> tuple[pd.DataFrame, list[Any]]:
    """Find the row of each track in a table.

    Args:
        path: path of the table.
        name: name of the table.
        file_names: file names of all tracks, index track_id; empty where tracks have no files.

    Returns:
        The features, float32, index track_id, with a row of NaN for each missing track; and the
        missing tracks, by the key of the table.

    Raises:
        SongNetError: as in `read_feature_table`, or too many tracks are missing.
    """
    table = read_feature_table(path, name, KEYS if file_names.any() else KEYS[1:])
    keys = file_names if table.index.name == "file_name" else file_names.index.to_series()
    missing = keys[~keys.isin(table.index)].tolist()
    if len(missing) > MOST_MISSING * len(keys):
        first = ", ".join(map(str, missing[:NAMED]))
        raise SongNetError(
            f"config key tables.{name}: {path} lacks {len(missing):,} of the {len(keys):,} "
            f"tracks (first: {first}), more than {percent(MOST_MISSING, 0)}: add their rows"
        )
    return table.reindex(keys).set_axis(file_names.index), missing


def read_feature_table(path: str, name: str, keys: tuple[str, ...] = KEYS) -> pd.DataFrame:
    """Read a table with a key, as a column or the index, and numeric columns.

    Args:
        path: path of a CSV file (``.csv``) or a Parquet file (any other suffix).
        name: name of the table.
        keys: columns that may identify the track; the first one that exists is used.

    Returns:
        float32, indexed by the key, without rows that have values that are not finite.

    Raises:
        SongNetError: the file is not such a table, or has a track twice.
    """
    where = f"config key tables.{name}: {path}"
    table = _read(path, where)
    key = next((key for key in keys if key in table), None)
    if key is None or (key == "track_id" and not pd.api.types.is_integer_dtype(table["track_id"])):
        raise SongNetError(f"{where}: lacks a column track_id of integers" + _or_names(keys))
    table = table.set_index(key).drop(columns=list(KEYS), errors="ignore")
    if words := [str(column) for column, kind in table.dtypes.items() if not _is_number(kind)]:
        raise SongNetError(f"{where}: column {words[0]} is not numeric")
    if not table.shape[1]:
        raise SongNetError(f"{where}: has no column besides {key}")
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise SongNetError(f"{where}: has track {twice} twice")
    table = table.astype(np.float32)
    table.columns = [str(column) for column in table.columns]
    return table[np.isfinite(table).all(axis=1)]


def _read(path: str, where: str) -> pd.DataFrame:
    is_csv = Path(path).suffix.lower() == ".csv"
    try:
        table = pd.read_csv(path) if is_csv else pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        kind = "CSV" if is_csv else "Parquet"
        raise SongNetError(f"{where}: not a {kind} file: {_first_line(error)}") from None
    for place, column in enumerate(table, 1):
        if column == f"Unnamed: {place - 1}":  # pandas' name for it
            raise SongNetError(
                f"{where}: column {place} has no name; if it numbers the rows, leave it out "
                "(index=False)"
            )
    # A named index may be the key.
    return table.reset_index() if table.index.name else table


def _or_names(keys: tuple[str, ...]) -> str:
    return ", or file_name" if "file_name" in keys else ""


def _is_number(kind: Any) -> bool:
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
