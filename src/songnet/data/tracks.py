"""FMA's table of tracks, tracks.csv."""

import csv
import re
import zipfile
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from songnet.data.archives import open_member, open_zip
from songnet.data.names import one_spelling
from songnet.errors import SongNetError

MOST_TRACKS = 1_000_000  # ten times as many as FMA has; a larger table is a mistake or an attack
NUMBER = re.compile(r"\s*[+-]?\d+\s*")
SUBSETS = ["small", "medium", "large", "full"]
# Columns of tracks.csv that SongNet uses, and their names in SongNet.
REQUIRED = {
    ("set", "subset"): "subset",
    ("track", "genre_top"): "genre",
}
OPTIONAL = {
    ("set", "split"): "official_split",
    ("artist", "id"): "artist_id",
    ("artist", "name"): "artist",
    ("track", "title"): "title",
    ("track", "license"): "license",
    ("track", "genres_all"): "genres_all",
    ("track", "duration"): "duration",
    ("track", "bit_rate"): "bit_rate",
    ("album", "date_released"): "released",
}


def read_tracks(metadata_zip: str) -> pd.DataFrame:
    """Read ``fma_metadata/tracks.csv``.

    Returns:
        One row per track, index ``track_id``, columns as in REQUIRED and OPTIONAL. ``subset`` is an
        ordered categorical, so that ``<=`` compares sizes. ``top_genres`` replaces ``genres_all``:
        a list with the names of the top genres of all labels, or None if they are unknown.

    Raises:
        SongNetError: tracks.csv is missing, lacks columns, is not UTF-8, or has too many tracks.
    """
    name = "fma_metadata/tracks.csv"
    with open_zip(metadata_zip) as archive:
        try:
            tracks = _read_columns(archive, name)
        except (ValueError, csv.Error) as error:
            raise SongNetError(
                f"{metadata_zip}: {name} is not a table of tracks: {error}"
            ) from None
        top_genres = _top_genres(archive)
    try:
        if not all(isinstance(text, str) and NUMBER.fullmatch(text) for text in tracks.index):
            raise ValueError
        tracks.index = tracks.index.astype("int64").rename("track_id")
    except (TypeError, ValueError, OverflowError):
        raise SongNetError(
            f"{metadata_zip}: {name} has a track_id that is not a number, or is too large"
        ) from None
    if tracks.index.has_duplicates:
        twice = tracks.index[tracks.index.duplicated()][0]
        raise SongNetError(f"{metadata_zip}: {name} has the track {twice} twice")
    known = tracks["subset"].where(tracks["subset"].isin(SUBSETS))
    tracks["subset"] = pd.Categorical(known, SUBSETS, ordered=True)
    labels = [re.findall(r"\b\d{1,9}\b", text) if isinstance(text, str) else [] for text in
              tracks.pop("genres_all")]  # fmt: skip
    tracks["top_genres"] = [
        sorted({top_genres[int(i)] for i in row if int(i) in top_genres}) or None for row in labels
    ]
    return tracks.sort_index()


def _read_columns(archive: zipfile.ZipFile, name: str) -> pd.DataFrame:
    """Read the used columns in blocks, so that the others take no memory."""
    with open_member(archive, name) as file:
        lines = [file.readline(1 << 20).decode("utf-8-sig") for _ in range(3)]
    first, second, third = ([*next(csv.reader([line]), []), ""] for line in lines)
    if not second[:-1]:
        raise ValueError("it does not have two header rows")
    columns = list(zip(first[:-1], second[:-1], strict=False))
    missing = [".".join(column) for column in REQUIRED if column not in columns]
    if missing:
        raise SongNetError(f"{archive.filename}: {name} lacks the columns {', '.join(missing)}")
    used = {column: new for column, new in (REQUIRED | OPTIONAL).items() if column in columns}
    names = [str(i) for i in range(len(columns))]
    included = ["0", *(str(columns.index(column)) for column in used)]
    # pandas writes a third header row with only the name of the index.
    is_header = not any(third[1:]) and not NUMBER.fullmatch(third[0])
    read = arrow_csv.ReadOptions(column_names=names, skip_rows=3 if is_header else 2)
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), include_columns=included,
        strings_can_be_null=True,
    )  # fmt: skip
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    blocks: list[Any] = []
    count = 0
    with (
        open_member(archive, name) as file,
        arrow_csv.open_csv(file, read, parse, convert) as reader,
    ):
        for block in reader:
            count += len(block)
            if count > MOST_TRACKS:
                raise ValueError(f"it has more than {MOST_TRACKS:,} rows")
            blocks.append(block)
    table = pa.Table.from_batches(blocks, reader.schema).to_pandas()
    tracks = table.set_index("0").set_axis(list(used.values()), axis=1)
    for column in {"artist_id", "duration", "bit_rate"} & set(tracks):
        # Artist ids may be names, and floats cannot tell numbers with more digits apart.
        numbers = tracks[column].dropna().str.fullmatch(r"\s*(0|[1-9]\d{0,14})\s*")
        if column != "artist_id" or numbers.all():
            tracks[column] = pd.to_numeric(tracks[column], errors="coerce")
        else:
            tracks[column] = one_spelling(tracks[column])
    return tracks.reindex(columns=[*REQUIRED.values(), *OPTIONAL.values()])


def _top_genres(archive: zipfile.ZipFile) -> dict[int, str]:
    """Map genre ids to the names of their top genres; empty without a genres.csv."""
    name = "fma_metadata/genres.csv"
    if name not in archive.namelist():
        return {}
    try:
        with open_member(archive, name) as file:
            table = pd.read_csv(file, index_col="genre_id", nrows=MOST_TRACKS)
        if table.index.has_duplicates:
            raise ValueError("a genre_id occurs twice")
        return table["top_level"].map(table["title"]).dropna().to_dict()
    except (KeyError, TypeError, ValueError) as error:
        raise SongNetError(
            f"{archive.filename}: {name} is not a table of genres: {error}"
        ) from None
