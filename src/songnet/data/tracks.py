"""Which tracks take part: FMA's tracks.csv, the selection, the quarantine."""

import csv
import re
import unicodedata
import zipfile
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from songnet.data.archives import open_member, open_zip
from songnet.errors import SongNetError

MOST_TRACKS = 1_000_000  # ten times FMA; a larger table is an accident or an attack
# Names of genres reach tables, pages, file formats and MLflow, so they are plain words: "=1+1",
# "<script>" or "a|b" are none.
PLAIN_NAME = re.compile(r"\w([\w &'’.,:;()+-]|/(?=[\w ])){0,99}")
NUMBER = re.compile(r"\s*[+-]?\d+\s*")
FEWEST_TRACKS = 3  # of a genre, one for each subset of a split
SUBSETS = ["small", "medium", "large", "full"]
# tracks.csv columns that SongNet uses, and what they are called here.
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
        One row a track, index ``track_id``; columns as in REQUIRED and OPTIONAL; ``subset`` an
        ordered categorical, so that ``<=`` means what it says; ``top_genres``, names of the top
        genres of all labels (``genres_all``) as lists, None where they are not known.

    Raises:
        SongNetError: no tracks.csv, missing columns, text that is not UTF-8, or too many tracks.
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
            f"{metadata_zip}: {name} has a track_id that is no number, or too large"
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
    """Read the columns that are used, in blocks: memory follows what is kept, not what is there."""
    with open_member(archive, name) as file:
        lines = [file.readline(1 << 20).decode("utf-8-sig") for _ in range(3)]
    first, second, third = ([*next(csv.reader([line]), []), ""] for line in lines)
    if not second[:-1]:
        raise ValueError("it has no two header rows")
    columns = list(zip(first[:-1], second[:-1], strict=False))
    missing = [".".join(column) for column in REQUIRED if column not in columns]
    if missing:
        raise SongNetError(f"{archive.filename}: {name} lacks the columns {', '.join(missing)}")
    used = {column: new for column, new in (REQUIRED | OPTIONAL).items() if column in columns}
    names = [str(i) for i in range(len(columns))]
    wanted = ["0", *(str(columns.index(column)) for column in used)]
    # pandas writes a third header row, which has the name of the index and nothing else.
    is_header = not any(third[1:]) and not NUMBER.fullmatch(third[0])
    read = arrow_csv.ReadOptions(column_names=names, skip_rows=3 if is_header else 2)
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), include_columns=wanted,
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
        # Artists may bear names instead; of longer numbers, some would become the same.
        numbers = tracks[column].dropna().str.fullmatch(r"\s*(0|[1-9]\d{0,14})\s*")
        if column != "artist_id" or numbers.all():
            tracks[column] = pd.to_numeric(tracks[column], errors="coerce")
        else:
            same = tracks[column].map(_one_spelling, na_action="ignore")
            tracks[column] = tracks[column].groupby(same).transform("first")
    return tracks.reindex(columns=[*REQUIRED.values(), *OPTIONAL.values()])


def _one_spelling(name: str) -> str | None:
    """What spellings that differ in Unicode's form, case or spaces share; None if it is empty."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split()) or None


def _top_genres(archive: zipfile.ZipFile) -> dict[int, str]:
    """Name of the top genre of every genre number; empty where the archive has no genres.csv."""
    name = "fma_metadata/genres.csv"
    if name not in archive.namelist():
        return {}
    try:
        with open_member(archive, name) as file:
            table = pd.read_csv(file, index_col="genre_id", nrows=MOST_TRACKS)
        if table.index.has_duplicates:
            raise ValueError("a genre_id is given twice")
        return table["top_level"].map(table["title"]).dropna().to_dict()
    except (KeyError, TypeError, ValueError) as error:
        raise SongNetError(
            f"{archive.filename}: {name} is not a table of genres: {error}"
        ) from None


def wanted_tracks(
    tracks: pd.DataFrame, subset: str, genres: list[str] | None, per_genre: int | None
) -> pd.DataFrame:
    """Tracks of a subset and of some genres.

    Args:
        tracks: from `read_tracks`.
        subset: FMA's subset; smaller ones are part of larger ones.
        genres: top genres to keep, or None for all that the subset has.
        per_genre: how many of each genre, drawn at random, always the same; None for all.

    Raises:
        SongNetError: a genre has no tracks in the subset.
    """
    inside = tracks[(tracks["subset"] <= subset) & tracks["genre"].notna()]
    present = set(inside["genre"])
    for genre in genres or []:
        if genre not in present:
            raise SongNetError(
                f"config key genres: {genre!r} has no tracks in the subset {subset} "
                f"(it has: {', '.join(sorted(present))})"
            )
    if genres is not None:
        inside = inside[inside["genre"].isin(genres)]
    if per_genre is not None:
        shuffled = inside.sample(frac=1, random_state=0)
        inside = shuffled.groupby("genre", observed=True).head(per_genre).sort_index()
    return inside


def select_tracks(
    inside: pd.DataFrame, known: pd.Index, available: set[int], shards: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the tracks that the archive has, and share them among shards.

    Args:
        inside: from `wanted_tracks`.
        known: all track numbers of tracks.csv.
        available: track numbers in the archive of clips.
        shards: number of jobs; neighbouring tracks share one.

    Returns:
        The selection with a column ``shard``, and the quarantine (track_id, reason) of tracks
        that only one of table and archive knows, or whose genre has no plain name.

    Raises:
        SongNetError: nothing is left.
    """
    plain = inside["genre"].map(lambda genre: PLAIN_NAME.fullmatch(genre) is not None).astype(bool)
    found = inside.index.isin(list(available))
    problems = dict.fromkeys(inside.index[~plain], "the name of its genre is no plain text")
    problems |= dict.fromkeys(inside.index[~found], "in tracks.csv, not in the archive")
    problems |= dict.fromkeys(available - set(known), "in the archive, not in tracks.csv")
    selected = inside[found & plain].copy()
    if selected.empty:
        raise SongNetError(
            "tracks.csv and the archives have no usable track in common: look at the columns "
            "set.subset and track.genre_top, and at the numbers of the clips"
        )
    selected["shard"] = [i * shards // len(selected) for i in range(len(selected))]
    return selected, _quarantine(problems)


def index_tracks(
    selected: pd.DataFrame, clips: pd.DataFrame, quarantined: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the tracks whose clips are sound, each clip once.

    Args:
        selected: from `select_tracks`.
        clips: what the shards found: index track_id; file, row, frames, seconds, lost_seconds,
            sample_rate, channels, sha1, and problem where the clip is unusable.
        quarantined: from `select_tracks`.

    Returns:
        The tracks with their clips' columns, and the quarantine.
    """
    clips = clips.reindex(selected.index)
    problems = clips["problem"].dropna().to_dict()
    sound = clips[clips["problem"].isna()]
    if sound.empty and problems:
        first, reason = next(iter(problems.items()))
        raise SongNetError(
            f"none of the {len(problems)} clips can be used (track {first}: {reason})"
        )
    for digest, same in sound.groupby("sha1").groups.items():
        if digest and len(same) > 1:
            problems |= dict.fromkeys(same[1:], f"byte-identical to track {same[0]}")
    kept = selected.drop(index=list(problems))
    found = clips.loc[kept.index].drop(columns="problem")
    whole = {"row": "int64", "frames": "int64", "sample_rate": "int64", "channels": "int64"}
    tracks = kept.join(found.astype(whole))
    quarantine = pd.concat([quarantined, _quarantine(problems)]).sort_values("track_id")
    return tracks, quarantine


def no_clips(track_ids: pd.Index) -> pd.DataFrame:
    """Facts of clips for `index_tracks` where features alone are known, and all are sound."""
    facts = {"file": "", "row": 0, "frames": 0, "seconds": float("nan"), "sample_rate": 0}
    return pd.DataFrame(
        facts | {"lost_seconds": 0.0, "channels": 0, "sha1": "", "problem": None}, index=track_ids
    )


def check_genres(tracks: pd.DataFrame) -> None:
    """Fail where there is nothing to tell apart, or a genre is too small to be divided.

    Raises:
        SongNetError: there are fewer than two genres, a genre has fewer tracks than a split has
            parts, or the name of another column of predictions.parquet.
    """
    for genre in sorted({"track_id", "split", "genre", "predicted"} & set(tracks["genre"])):
        raise SongNetError(
            f"tracks.csv: a genre called {genre!r} would be mistaken for a column of "
            "predictions.parquet; give it another name"
        )
    for genre, group in tracks.groupby("genre", observed=True):
        if len(group) < FEWEST_TRACKS:
            raise SongNetError(
                f"config key genres: {genre!r} has {len(group)} usable tracks, fewer than the "
                f"{FEWEST_TRACKS} subsets of a split need; leave it out or give more music"
            )
    names = sorted(set(tracks["genre"]))
    if len(names) < 2:
        raise SongNetError(
            f"tracks.csv and the archives have usable tracks of {names[0]!r} alone, and two genres "
            "are the fewest to tell apart"
        )


def _quarantine(problems: dict[int, str]) -> pd.DataFrame:
    return pd.DataFrame(sorted(problems.items()), columns=["track_id", "reason"])
