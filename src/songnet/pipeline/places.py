"""Where the user's own music lies: a wrong key or path gets a line that says what to type."""

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
    """Check the keys archives, audio, labels, layout and features of a configuration.

    A single archive that is named is replaced, in place, by its folder.

    Args:
        config: whose paths have no ``~``.
        dataset: entry of datasets.yaml.

    Raises:
        SongNetError: a path is not what its key needs, or the data set has no use for the key.
    """
    if dataset["source"] == "folder":
        _check_audio(config, dataset)
    else:
        for key in ("audio", "labels", "layout"):
            if config[key] is not None:
                raise SongNetError(
                    f"config key {key}: dataset={config['dataset']} has no use for it; songs of "
                    "your own take dataset=folder audio=DIR"
                )
        _check_archives(config, dataset)
    if config["features"] is not None:
        _check_features(config, dataset)


def _check_audio(config: Table, dataset: Table) -> None:
    given, name = config["audio"], f"dataset={config['dataset']}"
    if config["archives"] is not None:
        raise SongNetError(f"config key archives: {name} takes audio=DIR, a folder of songs")
    if given is None:
        raise SongNetError(f"config key audio: {name} needs audio=DIR, a folder of songs")
    path, where = Path(given), f"config key audio: {given}"
    if not path.exists():
        raise SongNetError(f"{where}: no such file or folder")
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        raise SongNetError(f"{where}: may not be read")
    if (path / "fma_metadata.zip").exists():
        raise SongNetError(f"{where}: holds archives; take dataset=local archives={given}")
    if path.suffix.lower() in PACKED:
        raise SongNetError(f"{where}: is packed; unpack it and give the folder")
    if path.is_file() and path.suffix.lower() not in (*LISTS, *MANIFESTS):
        raise SongNetError(
            f"{where}: is one file; give its folder, a list of files ({', '.join(LISTS)}) or a "
            f"manifest ({', '.join(MANIFESTS)})"
        )
    if config["layout"] is not None:
        if config["labels"] in ("manifest", "tags"):
            raise SongNetError(f"config key layout: labels={config['labels']} reads no paths")
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
        raise SongNetError(f"config key archives: {name} makes its own")
    folder = Path(config["archives"])
    if folder.is_file():
        if not any(folder.match(pattern) for pattern in needed):
            raise SongNetError(
                f"config key archives: {folder}: {name} takes the folder with "
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
    """What to type where a folder has songs instead of archives."""
    if not folder.is_dir() or (folder / "fma_metadata.zip").exists():
        return ""
    try:
        has_songs = next(audio_files([folder]), None) is not None
    except SongNetError:
        return ""
    return f"; for a folder of songs take dataset=folder audio={folder}" if has_songs else ""


def _check_features(config: Table, dataset: Table) -> None:
    given = config["features"]
    where = f"config key features: {given}"
    if given == "computed" and not has_audio(dataset):
        raise SongNetError(f"{where}: dataset={config['dataset']} has no audio")
    if given == "published" and dataset["source"] in ("synthesis", "folder"):
        raise SongNetError(f"{where}: dataset={config['dataset']} has none")
