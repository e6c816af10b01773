"""Find and label the songs of a folder, and list them in songs.parquet."""

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
    "put songs into one folder per genre, write a metadata.csv, or set labels=tags "
    "(docs/tutorials/own-music.md)"
)
TAGGED = "labels are tags"  # attribute of the table, in songs.parquet, too
Row = dict[str, Any]


def write_songs(audio: str, labels: str | None, layout: str | None, path: str | Path) -> None:
    """Write the list of songs; the file is not touched if nothing has changed.

    Args:
        audio: path of a folder, a manifest, or a list of files.
        labels: manifest, path or tags; None for the manifest if there is one, else the path.
        layout: pattern of the paths, as for `songnet.data.labels.Layout`.
        path: output, songs.parquet.

    Raises:
        SongNetError: no file can be read, or no song has a genre.
    """
    path = Path(path)
    if path.parent.exists() and not os.access(path.parent, os.W_OK):
        raise SongNetError(f"{path}: cannot be written")
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
        before: an earlier result; tags of files unchanged since then are not read again.

    Returns:
        One row per file, index track_id, columns `songnet.data.folder.COLUMNS`.

    Raises:
        SongNetError: as in `write_songs`.
    """
    root, manifest = _places(audio, labels, layout)
    is_folder = Path(audio).is_dir()
    files: list[Path] = [] if manifest and not is_folder else list(all_files([audio]))
    if manifest is None and not is_folder:
        root = Path(os.path.commonpath([path.absolute().parent for path in files] or [root]))
    if not manifest and not files:
        raise SongNetError(f"config key audio: {audio}: contains no files")
    if len(files) > MOST_TRACKS:
        raise SongNetError(f"config key audio: {audio}: more than {MOST_TRACKS:,} files")
    if manifest is not None:
        rows = _manifest_rows(manifest, root, files)
    else:
        rows = [_row(path, root, may_be_audio(path)) for path in files]
        if labels == "tags":
            _add_tags(rows, before if before is not None and before.attrs.get(TAGGED) else None)
        else:
            _add_labels(rows, Layout(layout))
    songs = _table(rows)
    songs.attrs[TAGGED] = manifest is None and labels == "tags"
    by_folders = manifest is None and labels != "tags" and layout is None
    _check_songs(songs, audio, by_folders)
    return songs


def _places(audio: str, labels: str | None, layout: str | None) -> tuple[Path, Path | None]:
    """Return the folder that file names are relative to, and the manifest to use, if any."""
    place = Path(audio)
    if place.suffix.lower() in SUFFIXES and place.is_file():
        return place.parent, place
    root = place if place.is_dir() else place.parent
    may_use = labels == "manifest" or (labels is None and layout is None)
    manifest = find_manifest(root) if may_use and place.is_dir() else None
    if labels == "manifest" and manifest is None:
        raise SongNetError(f"config key labels: {audio} has no metadata.csv, .parquet or .jsonl")
    return root, manifest


def _row(path: Path, root: Path, is_song: bool) -> Row:
    """Return the row of a file with what the file system knows."""
    name = os.path.relpath(path.absolute(), root.absolute())
    row: Row = {"file_name": name, "path": path, "size": 0, "modified": 0, "problem": None}
    try:
        status = path.stat()
    except OSError as error:
        return row | {"problem": f"cannot be read: {error.strerror}"}
    if not is_song:
        row["problem"] = f"not audio, by its name (*{path.suffix.lower()})"
    return row | {"size": status.st_size, "modified": status.st_mtime_ns}


def _manifest_rows(manifest: Path, root: Path, files: Iterable[Path]) -> list[Row]:
    """Return the files of a manifest with their labels, and the files that it does not list."""
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
    others = [path for path in files if path not in named and path != manifest]
    left_out = [_row(path, root, may_be_audio(path)) for path in others]
    for row in left_out:
        row["problem"] = row["problem"] or f"not in {manifest.name}"
    return sorted(rows + left_out, key=lambda row: row["path"].parts)


def _add_labels(rows: list[Row], layout: Layout) -> None:
    """Add the labels of songs from their paths."""
    for row in rows:
        if row["problem"] is None:
            try:
                row |= layout.labels(Path(row["file_name"]))
            except UnusableClipError as error:
                row["problem"] = str(error)


def _add_tags(rows: list[Row], before: pd.DataFrame | None) -> None:
    """Add the tags of songs; files with unchanged size and date are not read again."""
    known = {}
    if before is not None:
        for row in before.to_dict("records"):
            known[row["path"], row["size"], row["modified"]] = row
    for row in tqdm(rows, desc="tags", unit="file", disable=None):
        if row["problem"] is not None:
            continue
        key = os.fsencode(row["path"]), row["size"], row["modified"]
        try:
            tags = known[key] if key in known else read_tags(row["path"])._asdict()
        except OSError as error:
            row["problem"] = f"cannot be read: {error.strerror}"
            continue
        text = {name: tags[name] for name in ("genre", "artist", "title")}
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
    """Return text that Parquet can store; bytes that are not valid UTF-8 are escaped."""
    if not isinstance(text, str):
        return None
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def _check_songs(songs: pd.DataFrame, audio: str, by_folders: bool) -> None:
    """Check that there are usable songs of two genres or more."""
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
        hint = f"; if its subfolders are the genres, set audio={below}"
        raise SongNetError(
            f"{where}: all songs are of one genre, {genres[0]!r}, and a classifier needs two"
            + (hint if by_folders and below.is_dir() else "")
        )
