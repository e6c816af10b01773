"""The songs of a folder: found, labelled, and listed in songs.parquet."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from songnet.data.audio_files import all_files, may_be_audio
from songnet.data.file_tags import read_tags
from songnet.data.folder import COLUMNS
from songnet.data.labels import Layout
from songnet.data.manifest import SUFFIXES, find_manifest, read_manifest
from songnet.data.names import one_spelling
from songnet.data.tracks import MOST_TRACKS
from songnet.errors import SongNetError, UnusableClipError
from songnet.io import replacing

LABELS = ("genre", "artist", "title", "license", "split")
HINT = (
    "put songs into a folder for each genre, write a metadata.csv, or take labels=tags "
    "(config/README.md, Your own music)"
)
Row = dict[str, Any]


def write_songs(audio: str, labels: str | None, layout: str | None, path: str | Path) -> None:
    """List songs; the file stays as it is where nothing has changed.

    Args:
        audio: a folder, a manifest, or a list of files.
        labels: manifest, path or tags; None for the manifest if there is one, else the path.
        layout: of the paths, as for `songnet.data.labels.Layout`.
        path: of songs.parquet.

    Raises:
        SongNetError: nothing can be read there, or nothing has a label.
    """
    path = Path(path)
    if path.parent.exists() and not os.access(path.parent, os.W_OK):
        raise SongNetError(f"{path}: may not be written")
    before = pd.read_parquet(path) if path.exists() else None
    content = list_songs(audio, labels, layout, before).to_parquet(None)
    if before is None or path.read_bytes() != content:
        with replacing(path) as temporary:
            temporary.write_bytes(content)


def list_songs(
    audio: str, labels: str | None, layout: str | None, before: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Find songs and their labels.

    Args:
        audio: as for `write_songs`.
        labels: as for `write_songs`.
        layout: as for `write_songs`.
        before: an earlier result, whose tags hold for files that have not changed.

    Returns:
        One row a file, index track_id, `songnet.data.folder.COLUMNS`.

    Raises:
        SongNetError: as `write_songs`.
    """
    root, manifest = _places(audio, labels, layout)
    is_folder = Path(audio).is_dir()
    files: list[Path] = [] if manifest and not is_folder else list(all_files([audio]))
    if manifest is None and not is_folder:
        root = Path(os.path.commonpath([path.absolute().parent for path in files] or [root]))
    if not manifest and not files:
        raise SongNetError(f"config key audio: {audio}: no file in it")
    if len(files) > MOST_TRACKS:
        raise SongNetError(f"config key audio: {audio}: more than {MOST_TRACKS:,} files")
    if manifest is not None:
        rows = _of_manifest(manifest, root, files)
    else:
        rows = [_row(path, root, may_be_audio(path)) for path in files]
        if labels == "tags":
            _add_tags(rows, before)
        else:
            _add_labels(rows, Layout(layout))
    songs = _table(rows)
    by_folders = manifest is None and labels != "tags" and layout is None
    _check_songs(songs, audio, by_folders)
    return songs


def _places(audio: str, labels: str | None, layout: str | None) -> tuple[Path, Path | None]:
    """Folder below which names of files are told, and the manifest that counts, if any does."""
    place = Path(audio)
    if place.suffix.lower() in SUFFIXES and place.is_file():
        return place.parent, place
    root = place if place.is_dir() else place.parent
    may_count = labels == "manifest" or (labels is None and layout is None)
    manifest = find_manifest(root) if may_count and place.is_dir() else None
    if labels == "manifest" and manifest is None:
        raise SongNetError(f"config key labels: {audio} has no metadata.csv, .parquet or .jsonl")
    return root, manifest


def _row(path: Path, root: Path, is_song: bool) -> Row:
    """What the file system knows of a file."""
    name = os.path.relpath(path.absolute(), root.absolute())
    row: Row = {"file_name": name, "path": path, "size": 0, "modified": 0, "problem": None}
    try:
        found = path.stat()
    except OSError as error:
        return row | {"problem": f"cannot be read: {error.strerror}"}
    if not is_song:
        row["problem"] = f"not audio, by its name (*{path.suffix.lower()})"
    return row | {"size": found.st_size, "modified": found.st_mtime_ns}


def _of_manifest(manifest: Path, root: Path, there: Iterable[Path]) -> list[Row]:
    """Files of a manifest with their labels, and those that are there without being named."""
    rows = []
    for labels in read_manifest(manifest):
        name = str(labels["file_name"])
        path = Path(os.path.normpath(root / name))
        row = _row(path, root, True) | {name: labels[name] for name in LABELS}
        row["title"] = row["title"] or path.stem
        if row["genre"] is None:
            row["problem"] = row["problem"] or f"no genre in {manifest.name}"
        rows.append(row | {"file_name": name})
    named = {row["path"] for row in rows}
    others = [path for path in there if path not in named and path != manifest]
    left_out = [_row(path, root, may_be_audio(path)) for path in others]
    for row in left_out:
        row["problem"] = row["problem"] or f"not in {manifest.name}"
    return sorted(rows + left_out, key=lambda row: row["path"].parts)


def _add_labels(rows: list[Row], layout: Layout) -> None:
    """Read the labels of songs off their paths."""
    for row in rows:
        if row["problem"] is None:
            try:
                row |= layout.labels(Path(row["file_name"]))
            except UnusableClipError as error:
                row["problem"] = str(error)


def _add_tags(rows: list[Row], before: pd.DataFrame | None) -> None:
    """Read the tags of songs, but for those whose size and date are as before."""
    known = {}
    if before is not None:
        for row in before.to_dict("records"):
            known[row["path"], row["size"], row["modified"]] = row
    for row in tqdm(rows, desc="tags", unit="file", disable=None):
        if row["problem"] is not None:
            continue
        key = os.fsencode(row["path"]), row["size"], row["modified"]
        try:
            found = known[key] if key in known else read_tags(row["path"])._asdict()
        except OSError as error:
            row["problem"] = f"cannot be read: {error.strerror}"
            continue
        text = {name: found[name] for name in ("genre", "artist", "title")}
        row |= {name: text[name] if isinstance(text[name], str) else None for name in text}
        row["title"] = row["title"] or row["path"].stem
        if row["genre"] is None:
            row["problem"] = "no genre in its tags"


def _table(rows: list[Row]) -> pd.DataFrame:
    texts = ("file_name", *LABELS, "problem")
    plain = [
        row | {name: _as_utf8(row.get(name)) for name in texts} | {"path": os.fsencode(row["path"])}
        for row in rows
    ]
    songs = pd.DataFrame(plain, columns=COLUMNS)
    songs.index = pd.RangeIndex(1, len(songs) + 1, name="track_id")
    for name in ("genre", "artist"):
        songs[name] = one_spelling(songs[name])
    return songs


def _as_utf8(text: Any) -> Any:
    """Text that a file can hold: bytes of a name that are no UTF-8 are escaped."""
    if not isinstance(text, str):
        return None
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def _check_songs(songs: pd.DataFrame, audio: str, by_folders: bool) -> None:
    """Fail where there is nothing to tell apart."""
    usable = songs[songs["problem"].isna()]
    where = f"config key audio: {audio}"
    if usable.empty:
        reason = songs["problem"].value_counts().idxmax()
        first = songs["file_name"][songs["problem"] == reason].iloc[0]
        raise SongNetError(
            f"{where}: none of its {len(songs)} files can be used ({first}: {reason}); {HINT}"
        )
    genres = sorted(usable["genre"].unique())
    if len(genres) == 1:
        below = Path(audio, genres[0])
        hint = f"; if the folders in it are the genres, take audio={below}"
        raise SongNetError(
            f"{where}: all songs are of one genre, {genres[0]!r}, and a classifier needs two"
            + (hint if by_folders and below.is_dir() else "")
        )
