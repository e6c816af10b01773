"""Manifests: tables of audio files and their labels, in the format of Hugging Face's AudioFolder.

Source: https://huggingface.co/docs/datasets/audio_dataset#audiofolder
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from songnet.errors import SongNetError

NAMES = ("metadata.csv", "metadata.parquet", "metadata.jsonl")
SUFFIXES = tuple(Path(name).suffix for name in NAMES)
REQUIRED = ["file_name", "genre"]
OPTIONAL = ["artist", "title", "license", "split"]


def find_manifest(folder: Path) -> Path | None:
    """Find the manifest of a folder.

    Raises:
        SongNetError: the folder has more than one.
    """
    manifests = [folder / name for name in NAMES if (folder / name).is_file()]
    if len(manifests) > 1:
        first, second, *_ = manifests
        raise SongNetError(f"{folder}: has {first.name} and {second.name}; remove one")
    return manifests[0] if manifests else None


def read_manifest(path: Path) -> list[dict[str, str | None]]:
    """Read a manifest.

    Args:
        path: path of a CSV, Parquet or JSON Lines file.

    Returns:
        One dictionary per row, with the keys REQUIRED and OPTIONAL; missing values are None.

    Raises:
        SongNetError: the manifest cannot be read, lacks a required column, lists no file, or lists
            a file twice.
    """
    readers = {".csv": _read_csv, ".parquet": _read_parquet, ".jsonl": _read_jsonl}
    try:
        table = readers[path.suffix.lower()](path)
    except OSError as error:
        raise SongNetError(f"{path}: {error.strerror or error}") from None
    except (ValueError, pa.ArrowException) as error:
        raise SongNetError(f"{path}: is not a table of songs: {_first_line(error)}") from None
    for column in REQUIRED:
        if column not in table:
            raise SongNetError(
                f"{path}: has no column {column} (it has: {', '.join(map(str, table.columns))})"
            )
    names = [*REQUIRED, *OPTIONAL]
    rows: list[dict[str, str | None]] = []
    for number, row in enumerate(table.to_dict("records"), 1):
        for name in names:
            if isinstance(row.get(name), list | dict | np.ndarray):
                raise SongNetError(f"{path}: row {number}: {name} must be one value")
        # Names of files may have several spaces in a row, or other kinds of them.
        rows.append({name: _text(row.get(name), is_name=name == "file_name") for name in names})
    if not rows:
        raise SongNetError(f"{path}: lists no file")
    seen: set[str] = set()
    for number, found in enumerate(rows, 1):
        file_name = found["file_name"]
        if file_name is None:
            raise SongNetError(f"{path}: row {number} has no file_name")
        if file_name in seen:
            raise SongNetError(f"{path}: file_name {file_name} is listed twice")
        seen.add(file_name)
    return rows


def _read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _read_parquet(path: Path) -> pd.DataFrame:
    names = parquet.read_schema(path).names
    used = [name for name in (*REQUIRED, *OPTIONAL) if name in names]
    # Other columns may hold embedded audio. Without any known column, the caller's error lists
    # those that exist.
    return parquet.read_table(path, columns=used or names[:20]).to_pandas()


def _read_jsonl(path: Path) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(path.read_text("utf-8-sig").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"line {number}: not an object")
        rows.append(row)
    return pd.DataFrame(rows, dtype=object)


def _text(value: Any, is_name: bool) -> str | None:
    """Return a value as text, None if it is empty; text other than a name gets single spaces."""
    if value is None or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas reads integer columns with gaps as floats
    words = str(value).split()
    if not words:
        return None
    return str(value) if is_name else " ".join(words)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
