"""Which tracks take part: FMA's tracks.csv, the selection, the quarantine."""

import pandas as pd

from songnet.archives import open_zip, read_member
from songnet.errors import SongNetError

SUBSETS = ["small", "medium", "large", "full"]
# tracks.csv columns that SongNet uses, and what they are called here.
REQUIRED = {
    ("set", "split"): "official_split",
    ("set", "subset"): "subset",
    ("track", "genre_top"): "genre",
    ("artist", "id"): "artist_id",
}
OPTIONAL = {
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
        ordered categorical, so that ``<=`` means what it says.

    Raises:
        SongNetError: no tracks.csv, missing columns, or text that is not UTF-8.
    """
    name = "fma_metadata/tracks.csv"
    with open_zip(metadata_zip) as archive:
        file = read_member(archive, name)
    try:
        table = pd.read_csv(file, index_col=0, header=[0, 1], low_memory=False)
    except (ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise SongNetError(f"{metadata_zip}: {name} is not a table of tracks: {error}") from None
    missing = [".".join(column) for column in REQUIRED if column not in table.columns]
    if missing:
        raise SongNetError(f"{metadata_zip}: {name} lacks the columns {', '.join(missing)}")
    renamed = {new: table.get(old) for old, new in (REQUIRED | OPTIONAL).items()}
    tracks = pd.DataFrame(renamed, index=table.index)
    try:
        tracks.index = tracks.index.astype("int64").rename("track_id")
    except ValueError:
        raise SongNetError(f"{metadata_zip}: {name} has a track_id that is no number") from None
    if tracks.index.has_duplicates:
        twice = tracks.index[tracks.index.duplicated()][0]
        raise SongNetError(f"{metadata_zip}: {name} has the track {twice} twice")
    tracks["subset"] = pd.Categorical(tracks["subset"], SUBSETS, ordered=True)
    return tracks.sort_index()


def select_tracks(
    tracks: pd.DataFrame, available: set[int], subset: str, genres: list[str] | None, shards: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the tracks of a subset and its genres, and share them among shards.

    Args:
        tracks: from `read_tracks`.
        available: track numbers in the archive of clips.
        subset: FMA's subset; smaller ones are part of larger ones.
        genres: top genres to keep, or None for all that the subset has.
        shards: number of jobs; neighbouring tracks share one.

    Returns:
        The selection with a column ``shard``, and the quarantine (track_id, reason) of tracks
        that only one of table and archive knows.
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
    found = inside.index.isin(list(available))
    problems = dict.fromkeys(inside.index[~found], "in tracks.csv, not in the archive")
    problems |= dict.fromkeys(available - set(tracks.index), "in the archive, not in tracks.csv")
    selected = inside[found].copy()
    selected["shard"] = [i * shards // max(1, len(selected)) for i in range(len(selected))]
    return selected, _quarantine(problems)


def index_tracks(
    selected: pd.DataFrame, clips: pd.DataFrame, quarantined: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the tracks whose clips are sound, each clip once.

    Args:
        selected: from `select_tracks`.
        clips: what the shards found: index track_id; shard, row, frames, seconds, sample_rate,
            channels, sha1, and problem where the clip is unusable.
        quarantined: from `select_tracks`.

    Returns:
        The tracks with their clips' columns, and the quarantine.
    """
    clips = clips.reindex(selected.index)
    problems = clips["problem"].dropna().to_dict()
    sound = clips[clips["problem"].isna()]
    for digest, same in sound.groupby("sha1").groups.items():
        if digest and len(same) > 1:
            problems |= dict.fromkeys(same[1:], f"byte-identical to track {same[0]}")
    kept = selected.drop(index=list(problems))
    found = clips.loc[kept.index].drop(columns=["problem", "shard"])
    whole = {"row": "int64", "frames": "int64", "sample_rate": "int64", "channels": "int64"}
    tracks = kept.join(found.astype(whole))
    quarantine = pd.concat([quarantined, _quarantine(problems)]).sort_values("track_id")
    return tracks, quarantine


def check_genres(tracks: pd.DataFrame, parts: int) -> None:
    """Fail where a genre is too small to be divided.

    Raises:
        SongNetError: a genre has fewer tracks or fewer artists than there are parts.
    """
    for genre, group in tracks.groupby("genre", observed=True):
        for what, count in [("tracks", len(group)), ("artists", group["artist_id"].nunique())]:
            if count < parts:
                raise SongNetError(
                    f"config key genres: {genre!r} has {count} usable {what}, fewer than the "
                    f"{parts} parts of a split need; leave it out or give more music"
                )


def _quarantine(problems: dict[int, str]) -> pd.DataFrame:
    return pd.DataFrame(sorted(problems.items()), columns=["track_id", "reason"])
