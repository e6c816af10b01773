"""Select the tracks of a data set, and quarantine the others."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from songnet.data.names import LONGEST_GENRE, is_printable
from songnet.data.sources import clip_source, read_table
from songnet.errors import SongNetError
from songnet.formatting import csv_row, csv_text, from_csv_text
from songnet.io import replacing

SHOWN = 8  # genres that an error lists
FEWEST_TRACKS = 3  # per genre, one for each subset of a split
FEW = f"its genre has fewer than {FEWEST_TRACKS} tracks"
UNPRINTABLE = f"the name of its genre cannot be printed, or has over {LONGEST_GENRE} characters"
QUARANTINE = ["track_id", "file_name", "reason"]


class Selection(NamedTuple):
    """Selected and quarantined tracks."""

    tracks: pd.DataFrame  # rows of the table of tracks, with the column file_name
    quarantine: pd.DataFrame  # columns QUARANTINE


def choose_tracks(
    kind: str,
    table_file: str,
    clips: list[str],
    subset: str,
    genres: list[str] | None,
    per_genre: int | None,
) -> Selection:
    """Select the tracks of a data set, as far as possible without decoding clips.

    Args:
        kind: clip source, a name of `songnet.data.sources.SOURCES`.
        table_file: path of the table of tracks.
        clips: files that hold the clips; empty for data sets of features only.
        subset: FMA subset.
        genres: as for `wanted_tracks`.
        per_genre: as for `wanted_tracks`.

    Raises:
        SongNetError: a file is invalid, no track is usable, or `check_genres` fails.
    """
    table = read_table(kind, table_file)
    inside = wanted_tracks(table, subset, genres, per_genre)
    source = clip_source(kind, clips) if clips else None
    available = source.track_ids() if source else set(inside.index)
    tracks, problems = select_tracks(inside, table.index, available)
    if genres is None:  # genres that the user names must not disappear
        small = tracks.groupby("genre", observed=True)["genre"].transform("size") < FEWEST_TRACKS
        problems |= dict.fromkeys(tracks.index[small], FEW)
        tracks = tracks[~small]
    check_genres(tracks)
    if source is None:
        return Selection(tracks.assign(file_name=""), quarantine_table({}))
    tracks = tracks.assign(file_name=[source.file_name(i) for i in tracks.index])
    return Selection(tracks, quarantine_table(source.problems() | problems, source.file_name))


def wanted_tracks(
    tracks: pd.DataFrame, subset: str, genres: list[str] | None, per_genre: int | None
) -> pd.DataFrame:
    """Return the tracks of a subset and of some genres.

    Args:
        tracks: the table of tracks.
        subset: FMA subset; larger subsets include the smaller ones.
        genres: top genres to keep, or None for all of the subset.
        per_genre: size of a fixed random subset of each genre; None for all tracks.

    Raises:
        SongNetError: a genre has no tracks in the subset.
    """
    inside = tracks[(tracks["subset"] <= subset) & tracks["genre"].notna()]
    present = set(inside["genre"])
    for genre in genres or []:
        if genre not in present:
            where = "" if (tracks["subset"] == "small").all() else f" in the subset {subset}"
            raise SongNetError(
                f"config key genres: {genre!r} has no tracks{where} (others have: "
                f"{', '.join(sorted(present))})"
            )
    if genres is not None:
        inside = inside[inside["genre"].isin(genres)]
    if per_genre is not None:
        shuffled = inside.sample(frac=1, random_state=0)
        inside = shuffled.groupby("genre", observed=True).head(per_genre).sort_index()
    return inside


def select_tracks(
    inside: pd.DataFrame, known: pd.Index, available: set[int]
) -> tuple[pd.DataFrame, dict[int, str]]:
    """Keep the tracks that have a clip and a printable genre.

    Args:
        inside: tracks from `wanted_tracks`.
        known: all track ids in the table of tracks.
        available: ids of the tracks that have a clip.

    Returns:
        The selected tracks, and the reason for each track that is left out.

    Raises:
        SongNetError: no track is usable.
    """
    printable = inside["genre"].map(is_printable).astype(bool)
    has_clip = inside.index.isin(list(available))
    problems = dict.fromkeys(inside.index[~printable], UNPRINTABLE)
    problems |= dict.fromkeys(inside.index[~has_clip], "in tracks.csv, not in the archive")
    problems |= dict.fromkeys(available - set(known), "in the archive, not in tracks.csv")
    selected = inside[has_clip & printable].copy()
    if selected.empty:
        raise SongNetError(
            "tracks.csv and the archives have no usable track in common: check the columns "
            "set.subset and track.genre_top, and the track ids in the names of the clips"
        )
    return selected, problems


def shared(tracks: pd.DataFrame, shards: int) -> pd.DataFrame:
    """Add the column ``shard``, which assigns neighbouring tracks to the same job."""
    return tracks.assign(shard=[i * shards // len(tracks) for i in range(len(tracks))])


def index_tracks(
    selected: pd.DataFrame, clips: pd.DataFrame, quarantined: pd.DataFrame
) -> Selection:
    """Keep the tracks whose clips are usable, each clip once.

    Args:
        selected: tracks of the selection.
        clips: facts about all clips, index track_id, columns file, row, frames, seconds,
            lost_seconds, sample_rate, channels, sha1, and problem where the clip is unusable.
        quarantined: quarantine of the selection.

    Returns:
        The tracks with the columns of their clips, and the quarantine.

    Raises:
        SongNetError: no clip is usable.
    """
    clips = clips.reindex(selected.index)
    names = selected["file_name"]
    problems = clips["problem"].dropna().to_dict()
    usable = clips[clips["problem"].isna()]
    if usable.empty and problems:
        first, reason = next(iter(problems.items()))
        raise SongNetError(
            f"none of the {len(problems)} clips can be used ({names[first] or first}: {reason})"
        )
    for digest, same in usable.groupby("sha1").groups.items():
        if digest and len(same) > 1:
            reason = f"byte-identical to {names[same[0]] or f'track {same[0]}'}"
            problems |= dict.fromkeys(same[1:], reason)
    kept = selected.drop(index=list(problems))
    facts = clips.loc[kept.index].drop(columns="problem")
    integers = {"row": "int64", "frames": "int64", "sample_rate": "int64", "channels": "int64"}
    tracks = kept.join(facts.astype(integers))
    quarantine = pd.concat([quarantined, quarantine_table(problems, names.__getitem__)])
    return Selection(tracks, quarantine.sort_values("track_id"))


def no_clips(track_ids: pd.Index) -> pd.DataFrame:
    """Return clip facts for `index_tracks` in data sets of features only, all of them usable."""
    facts = {"file": "", "row": 0, "frames": 0, "seconds": float("nan"), "sample_rate": 0}
    return pd.DataFrame(
        facts | {"lost_seconds": 0.0, "channels": 0, "sha1": "", "problem": None}, index=track_ids
    )


def check_genres(tracks: pd.DataFrame) -> None:
    """Check that there are two genres or more, each large enough to be split.

    Raises:
        SongNetError: there are fewer than two genres, or a genre has fewer tracks than a split has
            subsets, or shares its name with another column of predictions.parquet.
    """
    for genre in sorted({"track_id", "split", "genre", "predicted"} & set(tracks["genre"])):
        raise SongNetError(
            f"a genre called {genre!r} would be mistaken for a column of predictions.parquet; "
            "give it another name"
        )
    names = sorted(set(tracks["genre"]))
    if len(names) < 2:
        problem = f"{names[0]!r} is the only genre" if names else "there is no genre"
        raise SongNetError(
            f"config key genres: {problem} with {FEWEST_TRACKS} usable tracks or more, and a "
            "classifier needs two"
        )
    for genre, group in tracks.groupby("genre", observed=True):
        if len(group) < FEWEST_TRACKS:
            raise SongNetError(
                f"config key genres: {genre!r} has {len(group)} usable tracks, fewer than the "
                f"{FEWEST_TRACKS} subsets of a split need; leave it out or add tracks (the "
                f"genres are {', '.join(names[:SHOWN])}{', …' if len(names) > SHOWN else ''})"
            )


def quarantine_table(
    problems: dict[int, str], file_name: Callable[[int], str] = lambda track_id: ""
) -> pd.DataFrame:
    """Build the quarantine table.

    Args:
        problems: reason for each track.
        file_name: function that returns the file name of a track.
    """
    rows = [(i, file_name(i), reason) for i, reason in sorted(problems.items())]
    return pd.DataFrame(rows, columns=QUARANTINE)


def read_quarantine(path: str) -> pd.DataFrame:
    """Read a quarantine; file names are text even if they look like numbers or formulas."""
    text = {"file_name": str, "reason": str}
    table = pd.read_csv(path, dtype=text, keep_default_na=False)
    return table.assign(**{name: table[name].map(from_csv_text) for name in text})


def write_quarantine(quarantine: pd.DataFrame, path: str) -> None:
    """Write a quarantine, escaping text that a spreadsheet would run as a formula."""
    names = ("file_name", "reason")
    escaped = quarantine.assign(**{name: quarantine[name].map(csv_text) for name in names})
    rows = [escaped.columns, *escaped.itertuples(index=False)]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.writelines(map(csv_row, rows))


def read_clips(paths: list[str]) -> pd.DataFrame:
    """Read the facts about the clips of all shards, index track_id."""
    text = {"sha1": str, "problem": str, "file": str}
    return pd.concat([pd.read_csv(path, dtype=text) for path in paths]).set_index("track_id")
