"""The baselines' features of all tracks: computed here, published, or of a table of one's own."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from songnet.data import published_features
from songnet.data.shards import MelShards
from songnet.errors import SongNetError
from songnet.features import fma518

SUFFIXES = (".csv", ".parquet")
OWN = "own"  # first level of the columns of a table of one's own


def gather_features(
    kind: str, parts: list[str], mel: str, tracks: pd.DataFrame, threads: int
) -> pd.DataFrame:
    """Features of tracks.

    Args:
        kind: published, computed, mels or table.
        parts: files that hold them: fma_metadata.zip, those of all shards, or the table.
        mel: mel/index.parquet.
        tracks: rows of tracks.parquet.
        threads: that unpack published features.

    Returns:
        float32, index track_id, columns (feature, statistics, number).

    Raises:
        SongNetError: a track has no features.
    """
    if kind == "published":
        return published_features.read_features(parts[0], tracks.index, threads)
    if kind == "computed":
        return pd.concat([pd.read_parquet(path) for path in parts]).loc[tracks.index]
    if kind == "table":
        return read_own(parts[0], tracks["file_name"])
    mels = MelShards.read(mel)
    rows = np.stack([fma518.mfcc_features(mels.mel(i).astype(np.float32)) for i in tracks.index])
    return pd.DataFrame(rows, index=tracks.index, columns=fma518.columns(("mfcc",)))


def read_own(path: str, file_names: pd.Series) -> pd.DataFrame:
    """Read features from a table of one's own.

    Args:
        path: of a CSV or Parquet file with a column ``track_id`` or ``file_name``, and one for
            each feature.
        file_names: of the wanted tracks, index track_id.

    Returns:
        float32, index track_id in the wanted order, columns (OWN, name, ""), three levels.

    Raises:
        SongNetError: it is no such table, lacks a track or a number, or has a track twice.
    """
    table = _read(path)
    key = "file_name" if "file_name" in table else "track_id"
    if key not in table:
        raise SongNetError(f"{path}: has neither a column track_id nor file_name")
    table = table.set_index(key)
    wanted = file_names if key == "file_name" else file_names.index
    if (twice := table.index.duplicated()).any():
        raise SongNetError(f"{path}: has the {key} {table.index[twice][0]} twice")
    lacking = [name for name in wanted if name not in table.index]
    if lacking:
        raise SongNetError(f"{path}: lacks {len(lacking)} of the tracks (first: {lacking[0]})")
    rows = table.loc[list(wanted)].drop(columns=["track_id", "file_name"], errors="ignore")
    if rows.empty:
        raise SongNetError(f"{path}: has no features")
    try:
        values = rows.to_numpy(np.float32)
    except (TypeError, ValueError) as error:
        raise SongNetError(f"{path}: a feature is not a number: {error}") from None
    if len(bad := np.argwhere(~np.isfinite(values))):
        row, column = bad[0]
        raise SongNetError(f"{path}: {key} {rows.index[row]} has no {rows.columns[column]}")
    columns = pd.MultiIndex.from_tuples([(OWN, str(name), "") for name in rows])
    return pd.DataFrame(values, index=file_names.index, columns=columns)


def _read(path: str) -> pd.DataFrame:
    read = pd.read_parquet if Path(path).suffix.lower() == ".parquet" else pd.read_csv
    try:
        table = read(path)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).strip().partition("\n")[0]
        raise SongNetError(f"{path}: is not a table of features: {reason}") from None
    # An index that has a name is a column like others.
    return table.reset_index() if table.index.name else table
