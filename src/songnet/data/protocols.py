"""Check which protocols can split the tracks of a data set, before any clip is decoded."""

import pandas as pd

from songnet.errors import SongNetError

SUBSETS = ["train", "validation", "test"]
# Names of subsets in data sets: FMA's, Hugging Face's and other common ones.
OFFICIAL = {
    "training": "train", "train": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


def check_protocols(tracks: pd.DataFrame, protocols: list[str]) -> None:
    """Check that every protocol can split the tracks.

    Args:
        tracks: selected tracks, columns genre, artist_id and official_split.
        protocols: random, artist, official.

    Raises:
        SongNetError: a protocol cannot split the tracks; the message gives the reason and the
            protocols that can.
    """
    problems = protocol_problems(tracks, protocols)
    usable = [name for name in protocols if name not in problems] or ["random"]
    for protocol in protocols:
        if protocol in problems:
            raise SongNetError(
                f"config key protocols: {protocol}: {problems[protocol]}; use "
                f"'protocols=[{','.join(usable)}]'"
            )


def protocol_problems(tracks: pd.DataFrame, protocols: list[str]) -> dict[str, str]:
    """Return the protocols that cannot split the tracks, with the reason.

    Args:
        tracks: selected tracks, columns genre, artist_id and official_split.
        protocols: random, artist, official.

    Raises:
        SongNetError: a value of ``official_split`` is not the name of a subset.
    """
    checks = {"artist": _artist_problem, "official": _official_problem}
    problems = {name: checks[name](tracks) for name in protocols if name in checks}
    return {name: problem for name, problem in problems.items() if problem}


def _artist_problem(tracks: pd.DataFrame) -> str:
    """Return why the artist protocol is impossible, or an empty string."""
    if tracks["artist_id"].isna().all():
        return "no track names an artist"
    artists = tracks.groupby("genre", observed=True)["artist_id"].nunique()
    if len(few := artists[artists < len(SUBSETS)]):
        return f"{few.index[0]!r} has too few artists: {few.iloc[0]}, but {len(SUBSETS)} are needed"
    return ""


def _official_problem(tracks: pd.DataFrame) -> str:
    """Return why the official protocol is impossible, or an empty string."""
    subsets = own_subsets(tracks)
    if subsets.empty:
        return "no track has a split of its own"
    for subset in SUBSETS[:2]:  # a data set may withhold its test subset
        if lacking := sorted(
            set(tracks["genre"]) - set(tracks["genre"][subsets.index[subsets == subset]])
        ):
            return f"no track of {lacking[0]!r} is in the {subset} subset"
    return ""


def own_subsets(tracks: pd.DataFrame) -> pd.Series:
    """Return the subset in the official split, for the tracks that have one."""
    given = tracks["official_split"].dropna()
    subsets = given.map(OFFICIAL)
    if (unknown := subsets.isna()).any():
        track_id = unknown.idxmax()
        name = tracks["file_name"].get(track_id) if "file_name" in tracks else ""
        raise SongNetError(
            f"config key protocols: official: {name or f'track {track_id}'} has the split "
            f"{given[track_id]!r} (allowed: {', '.join(OFFICIAL)}, or nothing to leave the track "
            "out)"
        )
    return subsets
