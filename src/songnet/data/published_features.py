"""Read FMA's published features.csv: 518 columns for 106,574 tracks, nearly 1 GB of text."""

import io
from collections.abc import Iterator
from itertools import islice
from typing import IO

import numpy as np
import pandas as pd
from pyarrow import csv

from songnet.data.archives import open_member, open_zip
from songnet.errors import SongNetError

NAME = "fma_metadata/features.csv"
LINES = 500  # parsed at once: 4.5 MB


def read_features(metadata_zip: str, track_ids: pd.Index, threads: int = 1) -> pd.DataFrame:
    """Read the features of some tracks, streaming the table in blocks from the zip file.

    Args:
        metadata_zip: path of ``fma_metadata.zip``.
        track_ids: tracks to read.
        threads: number of threads that unpack the archive.

    Returns:
        float32, index ``track_ids`` in the given order, 518 columns (feature, statistics, number).

    Raises:
        SongNetError: the archive has no valid features.csv, or the table lacks a track or a value,
            or has a track twice.
    """
    try:
        features = _read(metadata_zip, track_ids, threads)
    except ValueError as error:  # from pandas or pyarrow, also for text that is not UTF-8
        raise SongNetError(f"{metadata_zip}: {NAME} is not a table of features: {error}") from None
    if features.index.has_duplicates:
        twice = features.index[features.index.duplicated()][0]
        raise SongNetError(f"{metadata_zip}: {NAME} has the track {twice} twice")
    lacking = track_ids[~track_ids.isin(features.index)]
    if len(lacking):
        raise SongNetError(
            f"{metadata_zip}: {NAME} lacks {len(lacking)} of the tracks (first: {lacking[0]}); "
            "set `features: computed` in datasets.yaml"
        )
    return features.loc[track_ids]


def _read(metadata_zip: str, track_ids: pd.Index, threads: int) -> pd.DataFrame:
    with open_zip(metadata_zip) as archive:
        with open_member(archive, NAME) as file:
            columns = pd.read_csv(file, header=[0, 1, 2], index_col=0, nrows=0).columns
        names = ["track_id", *(".".join(column) for column in columns)]
        if "mfcc" not in columns.get_level_values(0):
            raise ValueError("its header has no mfcc")
        types = dict.fromkeys(names, "float32") | {"track_id": "int64"}
        read = csv.ReadOptions(column_names=names)
        convert = csv.ConvertOptions(column_types=types)
        with open_member(archive, NAME, threads) as file:
            blocks = [
                csv.read_csv(io.BytesIO(lines), read, convert_options=convert).to_pandas()
                for lines in _track_lines(file, track_ids)
            ]
    for block in blocks:
        bad = np.argwhere(~np.isfinite(block.to_numpy()))
        if len(bad):
            row, column = bad[0]
            raise ValueError(f"track {block['track_id'].iloc[row]} has no {names[column]}")
    features = pd.concat(blocks) if blocks else pd.DataFrame(columns=names)
    del blocks  # frees as much memory as the features take
    return features.set_index("track_id").set_axis(columns, axis=1)


def _track_lines(file: IO[bytes], track_ids: pd.Index) -> Iterator[bytes]:
    """Yield the lines of some tracks in blocks of a few megabytes; other lines are not parsed."""
    names = {str(track_id).encode() for track_id in track_ids}
    # Skips three header rows; the fourth, with the name of the index, matches no track.
    rows = (line for line in islice(file, 3, None) if line[: line.find(b",")] in names)
    while block := b"".join(islice(rows, LINES)):
        yield block
