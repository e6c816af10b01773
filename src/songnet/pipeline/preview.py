"""Preview of the user's own music before any job runs: its size, and which protocols it supports.

Importing this module must not load pandas, because every start of the workflow does it.
"""

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

from songnet.io import digest, read_json, sha1, write_json
from songnet.pipeline import plan

Table = dict[str, Any]


class Preview(NamedTuple):
    """Facts about a data set."""

    tracks: int | None = None  # number of selected tracks; None before a download
    problems: dict[str, str] = {}  # noqa: RUF012 - why a protocol cannot be used, by protocol
    has_artists: bool = True
    is_listed: bool = True  # whether the metadata archive has the SHA-1 in datasets.yaml


def preview(config: Table, dataset: Table, results: str, is_main: bool) -> Preview:
    """Inspect the user's own music, or read the cached preview if nothing has changed.

    Args:
        config: from `songnet.pipeline.configuration.check`.
        dataset: entry of datasets.yaml.
        results: results folder of the data set, which also holds the list of songs.
        is_main: whether this is the Snakemake process that the user started; the processes of jobs
            rely on its preview.

    Raises:
        SongNetError: the tracks are too few to train on, or a split has an unknown value.
    """
    if not plan.is_own(config, dataset):
        return Preview()
    if dataset["source"] == "folder" and is_main:
        from songnet.data.songs import write_songs

        audio = plan.local_path(config["audio"])
        write_songs(audio, config["labels"], config["layout"], plan.songs_file(config))
    cache = Path(results, "preview.json")
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        cached = read_json(cache)
        if not is_main or cached.pop("key") == _key(config, dataset):
            return Preview(*(cached[name] for name in Preview._fields))
    inspected = _inspect(config, dataset)
    with contextlib.suppress(OSError):  # planning must also work in a read-only folder
        write_json(cache, {"key": _key(config, dataset)} | inspected._asdict())
    return inspected


def _key(config: Table, dataset: Table) -> str:
    """Return a digest of everything that the preview depends on."""
    settings = [config[name] for name in ("genres", "tracks_per_genre", "protocols", "tables")]
    tables = [table["path"] for table in config["tables"].values()]
    files = plan.archive_paths(config, dataset) + tables
    return digest([files, plan.file_dates(files), settings, dataset["subset"], dataset["genres"]])


def _inspect(config: Table, dataset: Table) -> Preview:
    from songnet.data.protocols import protocol_problems
    from songnet.data.selection import choose_tracks
    from songnet.features.tables import match_feature_table

    metadata, *clips = plan.archive_paths(config, dataset)
    listed = dataset["files"].get(Path(metadata).name)
    is_listed = listed is None or sha1(metadata) == listed["sha1"]
    tracks = choose_tracks(
        plan.clip_kind(dataset),
        metadata,
        clips,
        dataset["subset"],
        config["genres"] or (dataset["genres"] if is_listed else None),
        config["tracks_per_genre"],
    ).tracks
    for name, table in config["tables"].items():
        match_feature_table(table["path"], name, tracks["file_name"])
    has_artists = bool(tracks["artist_id"].notna().any())
    return Preview(
        len(tracks), protocol_problems(tracks, config["protocols"]), has_artists, is_listed
    )
