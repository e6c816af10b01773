"""The genre in a file's own tags, read and written by mutagen: ID3, MP4, Vorbis, APE and ASF.

A file is written as a copy that takes its place when its audio is found to be the same.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import mutagen
from mutagen.aiff import AIFF
from mutagen.apev2 import APEv2, APEv2File
from mutagen.asf import ASF, ASFTags
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TCON, Encoding, ID3FileType, ID3NoHeaderError
from mutagen.mp4 import MP4, MP4Tags
from mutagen.ogg import OggFileType
from mutagen.wave import WAVE

from songnet.errors import SongNetError, UnusableClipError
from songnet.features.audio import open_container
from songnet.io import FULL, no_space

ID3_GENRE, VORBIS_GENRE = "TCON", "genre"
GENRES = {MP4Tags: "\xa9gen", APEv2: "Genre", ASFTags: "WM/Genre"}  # names of other tags
KINDS = (ID3FileType, AIFF, WAVE, MP4, FLAC, OggFileType, APEv2File, ASF)
V1_BYTES = 128  # of an ID3v1 tag, at the end of a file


def read_genres(path: str) -> list[str]:
    """Genres in a file's tags, unchanged.

    Raises:
        SongNetError: it cannot be read, or its kind has no genre that can be written.
    """
    found = _opened(path)
    tags = found.tags
    if tags is None:
        return []
    if isinstance(found, ID3FileType):
        tags = ID3(path, translate=False)  # else numbers of genres become their names
    if hasattr(tags, "getall"):
        return [str(text) for frame in tags.getall(ID3_GENRE) for text in frame.text]
    return [str(text) for text in tags.get(_name(tags), [])]


def has_tags(path: str) -> bool:
    """Whether a file has tags, but for an ID3v1 tag.

    Raises:
        SongNetError: as in `read_genres`.
    """
    tags = _opened(path).tags
    return tags is not None and getattr(tags, "version", (2,))[0] >= 2


def write_genres(
    path: str, genres: list[str], keep_tags: bool = True, size: int | None = None
) -> None:
    """Write genres into a file's tags; its audio and its other tags stay as they are.

    Args:
        path: of the file; of a link, that which it points at is written.
        genres: none removes the genre.
        keep_tags: False removes all tags with the genre, where there were none before it.
        size: bytes that the file should have, if padding of its tags allows that.

    Raises:
        SongNetError: the file is read-only or of another kind, or the disk is full. It is then as
            it was.
    """
    check_writable(path)
    _opened(path)
    target = Path(path).resolve()
    copy = target.with_name(f".{target.stem}.songnet{target.suffix}")
    try:
        with _one_line(path):
            shutil.copy2(target, copy)
            with suppress(PermissionError):  # the owner alone may give a file away
                owner = target.stat()
                os.chown(copy, owner.st_uid, owner.st_gid)
            _write(str(copy), genres, keep_tags, _padding(copy, size))
            os.utime(copy)  # it has changed, as programs for backups must see
            if audio_digest(copy) != audio_digest(target):
                raise SongNetError(f"{path}: its audio would change; it is left as it is")
            with copy.open("rb+") as file:
                os.fsync(file.fileno())
            copy.replace(target)
    finally:
        copy.unlink(missing_ok=True)


def audio_digest(path: Path) -> str:
    """SHA-256 of the encoded audio of a file, whatever surrounds it."""
    found = hashlib.sha256()
    with path.open("rb") as file, open_container(file) as container:
        for packet in container.demux(container.streams.best("audio")):
            found.update(bytes(packet))
    return found.hexdigest()


def check_writable(path: str) -> None:
    """Fail where a file is read-only.

    Raises:
        SongNetError: it is, or is not there.
    """
    with _one_line(path):
        mode = Path(path).stat().st_mode
    # The superuser may write what is read-only, but was not asked to.
    if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(path, os.W_OK):
        raise SongNetError(f"{path}: is read-only")


@contextmanager
def _one_line(path: str) -> Iterator[None]:
    """Turn errors of the system and of libraries into one line."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise no_space(Path(path)) from None
        raise SongNetError(f"{path}: {error.strerror or error}") from None
    except (mutagen.MutagenError, UnusableClipError) as error:
        raise SongNetError(f"{path}: its tags cannot be read or written: {error}") from None


def _opened(path: str) -> Any:
    with _one_line(path):
        try:
            found = mutagen.File(path)
        except (ValueError, EOFError, KeyError, IndexError) as error:  # damaged tags
            raise SongNetError(f"{path}: its tags cannot be read: {error}") from None
    if not isinstance(found, KINDS):
        raise SongNetError(f"{path}: SongNet writes no genre into files of this kind")
    return found


def _name(tags: Any) -> str:
    return GENRES.get(type(tags), VORBIS_GENRE)


Padding = Callable[[Any], int]


def _padding(path: Path, size: int | None) -> Padding:
    """Bytes behind the tags: as few as leave the file's size, or bring it to another one."""
    there = path.stat().st_size

    def choose(info: Any) -> int:
        wanted = info.padding + (there if size is None else size) - there
        return int(wanted if wanted >= 0 else info.get_default_padding())

    return choose


def _write(path: str, genres: list[str], keep_tags: bool, padding: Padding) -> None:
    found = _opened(path)
    if isinstance(found, ID3FileType):
        _write_id3(path, genres, keep_tags, padding)
        return
    if found.tags is None:
        found.add_tags()
    if isinstance(found, AIFF | WAVE):
        _set_id3(found.tags, genres)
        version = 3 if found.tags.version[1] == 3 else 4
        if version == 3:
            found.tags.update_to_v23()
        if genres or keep_tags:
            found.save(path, v2_version=version, v23_sep=None, padding=padding)
        else:
            found.delete(path)
        return
    name = _name(found.tags)
    if name in found.tags:
        del found.tags[name]
    if genres:
        found.tags[name] = genres
    if not (genres or keep_tags):
        found.delete(path)
    elif isinstance(found, APEv2File):
        found.save(path)
    else:
        found.save(path, padding=padding)


def _write_id3(path: str, genres: list[str], keep_tags: bool, padding: Padding) -> None:
    """Write an ID3v2 tag in the version that it has; of an ID3v1 tag, no byte changes."""
    try:
        tags = ID3(path, translate=False)
    except ID3NoHeaderError:
        tags = ID3()
    version = tags.version[1] if tags.version[0] == 2 and tags.size else 0
    if version not in (3, 4):  # none, or one that mutagen cannot write
        tags = ID3(path) if version else tags
        tags.update_to_v23()
        version = 3
    _set_id3(tags, genres)
    with Path(path).open("rb") as file:
        file.seek(-V1_BYTES, os.SEEK_END)
        end = file.read()
    if genres or keep_tags:
        tags.save(path, v2_version=version, v23_sep=None, padding=padding)
    else:
        tags.delete(path, delete_v1=False)
    if end.startswith(b"TAG"):  # mutagen brings it up to date with the other tag
        with Path(path).open("rb+") as file:
            file.seek(-V1_BYTES, os.SEEK_END)
            file.write(end)


def _set_id3(tags: Any, genres: list[str]) -> None:
    tags.delall(ID3_GENRE)
    if genres:
        latin = all(genre.isascii() for genre in genres)
        encoding = Encoding.LATIN1 if latin else Encoding.UTF16  # which all versions have
        tags.add(TCON(encoding=encoding, text=genres))
