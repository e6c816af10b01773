"""Checks of the paths of the user's own music, with messages that say what to type instead."""

import os
from pathlib import Path
from typing import Any

from songnet.data.audio_files import LISTS, audio_files
from songnet.data.labels import Layout
from songnet.errors import SongNetError
from songnet.pipeline.plan import archive_names, has_audio

Table = dict[str, Any]
MANIFESTS = (".csv", ".jsonl", ".parquet")
PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def check_places(config: Table, dataset: Table) -> None:
    """Check the keys archives, audio, labels, layout and features.

    If ``archives`` names a single archive, it is replaced in place by the archive's folder.

    Args:
        config: configuration with ``~`` expanded in paths.
        dataset: entry of datasets.yaml.

    Raises:
        SongNetError: a path does not fit its key, or the data set does not use the key.
    """
    if dataset["source"] == "folder":
        _check_audio(config, dataset)
    else:
        for key in ("audio", "labels", "layout"):
            if config[key] is not None:
                raise SongNetError(
                    f"config key {key}: not used by dataset={config['dataset']}; for your own "
                    "songs use dataset=folder audio=DIR"
                )
        _check_archives(config, dataset)
    if config["features"] is not None:
        _check_features(config, dataset)


def _check_audio(config: Table, dataset: Table) -> None:
    given, name = config["audio"], f"dataset={config['dataset']}"
    if config["archives"] is not None:
        raise SongNetError(f"config key archives: {name} uses audio=DIR, a folder of songs")
    if given is None:
        raise SongNetError(f"config key audio: {name} needs audio=DIR, a folder of songs")
    path, where = Path(given), f"config key audio: {given}"
    if not path.exists():
        raise SongNetError(f"{where}: no such file or folder")
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        raise SongNetError(f"{where}: permission denied")
    if (path / "fma_metadata.zip").exists():
        raise SongNetError(f"{where}: contains archives; use dataset=local archives={given}")
    if path.suffix.lower() in PACKED:
        raise SongNetError(f"{where}: is an archive; unpack it and give the folder")
    if path.is_file() and path.suffix.lower() not in (*LISTS, *MANIFESTS):
        raise SongNetError(
            f"{where}: is a single file; give its folder, a list of files ({', '.join(LISTS)}) "
            f"or a manifest ({', '.join(MANIFESTS)})"
        )
    if config["layout"] is not None:
        if config["labels"] in ("manifest", "tags"):
            raise SongNetError(f"config key layout: not used with labels={config['labels']}")
        Layout(config["layout"])


def _check_archives(config: Table, dataset: Table) -> None:
    needed, name = archive_names(dataset), f"dataset={config['dataset']}"
    if config["archives"] is None:
        if dataset["source"] in ("archives", "mels"):
            raise SongNetError(
                f"config key archives: {name} needs archives=DIR, a folder with "
                + " and ".join(needed)
            )
        return
    if dataset["source"] == "synthesis":
        raise SongNetError(f"config key archives: not used by {name}, which generates its archives")
    folder = Path(config["archives"])
    if folder.is_file():
        if not any(folder.match(pattern) for pattern in needed):
            raise SongNetError(
                f"config key archives: {folder}: {name} needs the folder with "
                f"{' and '.join(needed)}, not a file"
            )
        config["archives"] = str(folder.parent)
        folder = folder.parent
    for pattern in needed:
        if not list(folder.glob(pattern)):
            raise SongNetError(
                f"config key archives: {folder / pattern}: no such file{_hint(folder)}"
            )


def _hint(folder: Path) -> str:
    """Return a hint if the folder contains songs instead of archives, otherwise nothing."""
    if not folder.is_dir() or (folder / "fma_metadata.zip").exists():
        return ""
    try:
        has_songs = next(audio_files([folder]), None) is not None
    except SongNetError:
        return ""
    return f"; for a folder of songs use dataset=folder audio={folder}" if has_songs else ""


def _check_features(config: Table, dataset: Table) -> None:
    given = config["features"]
    where = f"config key features: {given}"
    if given == "computed" and not has_audio(dataset):
        raise SongNetError(f"{where}: dataset={config['dataset']} has no audio")
    if given == "published" and dataset["source"] in ("synthesis", "folder"):
        raise SongNetError(f"{where}: dataset={config['dataset']} has no published features")
