"""Read and write the genre in ID3, MP4, Vorbis, APE and ASF tags, using mutagen.

Changes are made to a copy, which replaces the file only if its audio is unchanged.
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
GENRES = {MP4Tags: "\xa9gen", APEv2: "Genre", ASFTags: "WM/Genre"}  # names in other tag formats
KINDS = (ID3FileType, AIFF, WAVE, MP4, FLAC, OggFileType, APEv2File, ASF)
V1_BYTES = 128  # size of an ID3v1 tag, which is at the end of a file


def read_genres(path: str) -> list[str]:
    """Read the genres in a file's tags, exactly as stored.

    Raises:
        SongNetError: the file cannot be read, or SongNet cannot write genres into its format.
    """
    audio = _opened(path)
    tags = audio.tags
    if tags is None:
        return []
    if isinstance(audio, ID3FileType):
        tags = ID3(path, translate=False)  # otherwise mutagen turns genre numbers into names
    if hasattr(tags, "getall"):
        return [str(text) for frame in tags.getall(ID3_GENRE) for text in frame.text]
    return [str(text) for text in tags.get(_name(tags), [])]


def has_tags(path: str) -> bool:
    """Return whether a file has tags, ignoring an ID3v1 tag.

    Raises:
        SongNetError: as in `read_genres`.
    """
    tags = _opened(path).tags
    return tags is not None and getattr(tags, "version", (2,))[0] >= 2


def write_genres(
    path: str, genres: list[str], keep_tags: bool = True, size: int | None = None
) -> None:
    """Write genres into a file's tags, without changing its audio or its other tags.

    Args:
        path: path of the file; symbolic links are followed.
        genres: genres to write; an empty list removes the genre.
        keep_tags: False removes all tags if ``genres`` is empty, to undo the writing of a genre
            into a file without tags.
        size: desired file size in bytes, reached if the padding of the tags allows it.

    Raises:
        SongNetError: the file is read-only or of an unsupported format, or the disk is full; the
            file is unchanged.
    """
    check_writable(path)
    _opened(path)
    target = Path(path).resolve()
    copy = target.with_name(f".{target.stem}.songnet{target.suffix}")
    try:
        with _one_line(path):
            shutil.copy2(target, copy)
            with suppress(PermissionError):  # only the superuser may change the owner
                owner = target.stat()
                os.chown(copy, owner.st_uid, owner.st_gid)
            _write(str(copy), genres, keep_tags, _padding(copy, size))
            os.utime(copy)  # a new modification time, so that backup programs notice the change
            if audio_digest(copy) != audio_digest(target):
                raise SongNetError(f"{path}: its audio would change; the file is not modified")
            with copy.open("rb+") as file:
                os.fsync(file.fileno())
            copy.replace(target)
    finally:
        copy.unlink(missing_ok=True)


def audio_digest(path: Path) -> str:
    """Compute the SHA-256 of the encoded audio of a file, without tags and container."""
    digest = hashlib.sha256()
    with path.open("rb") as file, open_container(file) as container:
        for packet in container.demux(container.streams.best("audio")):
            digest.update(bytes(packet))
    return digest.hexdigest()


def check_writable(path: str) -> None:
    """Check that a file may be written.

    Raises:
        SongNetError: the file is read-only or missing.
    """
    with _one_line(path):
        mode = Path(path).stat().st_mode
    # The superuser could write a read-only file, but should respect its mode.
    if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) or not os.access(path, os.W_OK):
        raise SongNetError(f"{path}: is read-only")


@contextmanager
def _one_line(path: str) -> Iterator[None]:
    """Turn errors of the system and of libraries into one line that names the file."""
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
            audio = mutagen.File(path)
        except (ValueError, EOFError, KeyError, IndexError) as error:  # damaged tags
            raise SongNetError(f"{path}: its tags cannot be read: {error}") from None
    if not isinstance(audio, KINDS):
        raise SongNetError(f"{path}: SongNet cannot write genres into files of this format")
    return audio


def _name(tags: Any) -> str:
    return GENRES.get(type(tags), VORBIS_GENRE)


Padding = Callable[[Any], int]


def _padding(path: Path, size: int | None) -> Padding:
    """Return mutagen's padding callback that keeps the file size, or changes it to ``size``."""
    current = path.stat().st_size

    def choose(info: Any) -> int:
        padding = info.padding + (current if size is None else size) - current
        return int(padding if padding >= 0 else info.get_default_padding())

    return choose


def _write(path: str, genres: list[str], keep_tags: bool, padding: Padding) -> None:
    audio = _opened(path)
    if isinstance(audio, ID3FileType):
        _write_id3(path, genres, keep_tags, padding)
        return
    if audio.tags is None:
        audio.add_tags()
    if isinstance(audio, AIFF | WAVE):
        _set_id3(audio.tags, genres)
        version = 3 if audio.tags.version[1] == 3 else 4
        if version == 3:
            audio.tags.update_to_v23()
        if genres or keep_tags:
            audio.save(path, v2_version=version, v23_sep=None, padding=padding)
        else:
            audio.delete(path)
        return
    name = _name(audio.tags)
    if name in audio.tags:
        del audio.tags[name]
    if genres:
        audio.tags[name] = genres
    if not (genres or keep_tags):
        audio.delete(path)
    elif isinstance(audio, APEv2File):
        audio.save(path)
    else:
        audio.save(path, padding=padding)


def _write_id3(path: str, genres: list[str], keep_tags: bool, padding: Padding) -> None:
    """Write an ID3v2 tag in its existing version, without changing an ID3v1 tag."""
    try:
        tags = ID3(path, translate=False)
    except ID3NoHeaderError:
        tags = ID3()
    version = tags.version[1] if tags.version[0] == 2 and tags.size else 0
    if version not in (3, 4):  # no tag, or a version that mutagen cannot write
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
    if end.startswith(b"TAG"):  # mutagen has updated the ID3v1 tag; restore it
        with Path(path).open("rb+") as file:
            file.seek(-V1_BYTES, os.SEEK_END)
            file.write(end)


def _set_id3(tags: Any, genres: list[str]) -> None:
    tags.delall(ID3_GENRE)
    if genres:
        latin = all(genre.isascii() for genre in genres)
        encoding = Encoding.LATIN1 if latin else Encoding.UTF16  # supported by all ID3v2 versions
        tags.add(TCON(encoding=encoding, text=genres))
