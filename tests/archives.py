"""Zip archives as tables of their members."""

import zipfile
from collections.abc import Mapping
from pathlib import Path


def members(path: Path) -> dict[str, bytes]:
    """Name and content of each member."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_archive(
    path: Path, contents: Mapping[str, bytes | str], packed: int = zipfile.ZIP_BZIP2
) -> Path:
    """Write members to a new archive."""
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path
