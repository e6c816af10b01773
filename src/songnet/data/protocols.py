"""Which protocols can divide the tracks of a data set: told before any clip is decoded."""

import pandas as pd

from songnet.errors import SongNetError

SUBSETS = ["train", "validation", "test"]
# What a data set calls its own subsets: FMA's names, Hugging Face's, and other common ones.
OFFICIAL = {
    "training": "train", "train": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


def check_protocols(tracks: pd.DataFrame, protocols: list[str]) -> None:
    """Fail where a protocol cannot divide tracks, before any of their clips is decoded.

    Args:
        tracks: selected tracks; genre, artist_id, official_split.
        protocols: random, artist, official.

    Raises:
        SongNetError: names the first such protocol, what it lacks, and the others.
    """
    problems = protocol_problems(tracks, protocols)
    able = [name for name in protocols if name not in problems] or ["random"]
    for protocol in protocols:
        if protocol in problems:
            raise SongNetError(
                f"config key protocols: {protocol}: {problems[protocol]}; take "
                f"'protocols=[{','.join(able)}]'"
            )


def protocol_problems(tracks: pd.DataFrame, protocols: list[str]) -> dict[str, str]:
    """What those protocols lack that cannot divide tracks.

    Args:
        tracks: selected tracks; genre, artist_id, official_split.
        protocols: random, artist, official.

    Raises:
        SongNetError: for ``official``, a value of ``official_split`` is not the name of a subset.
    """
    lacks = {"artist": _artist_problem, "official": _official_problem}
    found = {name: lacks[name](tracks) for name in protocols if name in lacks}
    return {name: problem for name, problem in found.items() if problem}


def _artist_problem(tracks: pd.DataFrame) -> str:
    """What the protocol `artist` lacks; empty if nothing."""
    if tracks["artist_id"].isna().all():
        return "no track names an artist"
    artists = tracks.groupby("genre", observed=True)["artist_id"].nunique()
    if len(few := artists[artists < len(SUBSETS)]):
        return (
            f"{few.index[0]!r} has too few artists: {few.iloc[0]}, where {len(SUBSETS)} are needed"
        )
    return ""


def _official_problem(tracks: pd.DataFrame) -> str:
    """What the protocol `official` lacks; empty if nothing."""
    subsets = own_subsets(tracks)
    if subsets.empty:
        return "no track has a split of its own"
    for subset in SUBSETS[:2]:  # the test subset may be elsewhere
        if lacking := sorted(
            set(tracks["genre"]) - set(tracks["genre"][subsets.index[subsets == subset]])
        ):
            return f"no track of {lacking[0]!r} is in the {subset} subset"
    return ""


def own_subsets(tracks: pd.DataFrame) -> pd.Series:
    """The data set's own subsets, of the tracks that have one."""
    given = tracks["official_split"].dropna()
    subsets = given.map(OFFICIAL)
    if (unknown := subsets.isna()).any():
        track_id = unknown.idxmax()
        name = tracks["file_name"].get(track_id) if "file_name" in tracks else ""
        raise SongNetError(
            f"config key protocols: official: {name or f'track {track_id}'} has the split "
            f"{given[track_id]!r} (allowed: {', '.join(OFFICIAL)}, or nothing for a track that "
            "takes no part)"
        )
    return subsets
