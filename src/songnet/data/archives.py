"""Read tables and clips from zip archives without unpacking them to disk."""

import bz2
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Any

from songnet.errors import SongNetError, UnusableClipError

# Larger members are refused, because a zip file of a kilobyte can expand to a terabyte of zeros.
# FMA's clips have up to 1.2 MB, its tracks.csv 0.26 GB, its features.csv 0.95 GB.
CLIP_BYTES = 256 << 20
TABLE_BYTES = 4 << 30
PIECE = 1 << 16  # bytes unpacked at a time
# Exceptions for damaged members, and for members that are encrypted or use an unsupported
# compression method. An OSError of the disk is neither.
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
NOT_READABLE = (*DAMAGED, RuntimeError)


@contextmanager
def open_zip(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file, and turn errors into one line that names the file."""
    try:
        with _opened(path) as file:
            yield file
    except (zipfile.BadZipFile, EOFError) as error:
        raise SongNetError(f"{path}: not a valid zip archive: {error}") from None


def _opened(path: str | Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise SongNetError(f"{path}: no such file") from None
    except OSError as error:  # a folder, or another user's
        raise SongNetError(f"{path}: {error.strerror}") from None


@contextmanager
def open_member(archive: zipfile.ZipFile, name: str, threads: int = 1) -> Iterator[IO[bytes]]:
    """Open a table in an archive as a binary stream.

    Args:
        archive: open local archive.
        name: name of the member.
        threads: number of threads that unpack BZIP2, whose 900 kB blocks are independent.

    Raises:
        SongNetError: the member is missing, too large or damaged.
        OSError: the archive cannot be read from the disk.
    """
    if name not in archive.NameToInfo:
        raise SongNetError(f"{archive.filename}: has no {name}")
    if is_twice(archive, name):
        raise SongNetError(f"{archive.filename}: contains {name} twice")

    def refused(error: BaseException) -> SongNetError:
        return SongNetError(f"{archive.filename}: {name} is damaged: {_reason(error)}")

    try:
        member = _Member(archive, name, TABLE_BYTES, threads)
    except _TooLargeError as error:
        raise SongNetError(f"{archive.filename}: {name} {error}") from None
    except NOT_READABLE as error:
        raise refused(error) from None
    try:
        with io.BufferedReader(member, 1 << 20) as file:
            yield file
    except DAMAGED as error:
        raise refused(error) from None


def read_member(archive: zipfile.ZipFile, name: str) -> io.BytesIO:
    """Read a clip into memory.

    Raises:
        UnusableClipError: the member is missing, duplicated, too large or damaged.
        OSError: the archive cannot be read from the disk.
    """
    if is_twice(archive, name):
        raise UnusableClipError("the archive contains two files with its name")
    try:
        with _Member(archive, name, CLIP_BYTES) as file:
            content = io.BytesIO()
            copyfileobj(file, content, PIECE)
            content.seek(0)
            return content
    except KeyError:
        raise UnusableClipError("not in the archive") from None
    except _TooLargeError as error:
        raise UnusableClipError(f"the file {error}") from None
    except NOT_READABLE as error:
        raise UnusableClipError(f"damaged in the archive, {_reason(error)}") from None


def is_twice(archive: zipfile.ZipFile, name: str) -> bool:
    """Return whether an archive has two files of one name; zipfile only finds the last one."""
    if len(archive.filelist) == len(archive.NameToInfo):
        return False
    return sum(info.filename == name for info in archive.filelist) > 1


class _TooLargeError(Exception):
    """A member exceeds the size limit for its kind."""


class _Packed(io.RawIOBase):
    """The compressed bytes of a member."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        archive.open(info).close()  # raises for members that zipfile cannot read
        self._file = Path(str(archive.filename)).open("rb")  # noqa: SIM115
        self._file.seek(info.header_offset)
        header = self._file.read(30)
        # The header ends with the lengths of the name and the extra field, which follow it.
        self._start = info.header_offset + len(header) + sum(struct.unpack("<HH", header[26:]))
        self._size, self._at = info.compress_size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        count = self._file.readinto(memoryview(buffer)[: max(0, self._size - self._at)])
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _Member(io.RawIOBase):
    """Unpacks a member in small pieces, up to the size that the archive declares."""

    def __init__(self, archive: zipfile.ZipFile, name: str, limit: int, threads: int = 1) -> None:
        self._info = archive.getinfo(name)
        if self._info.file_size > limit:
            size = self._info.file_size / 2**20
            raise _TooLargeError(f"is too large: {size:.0f} MB, at most {limit >> 20}")
        self._crc = self._count = 0
        self._open = ExitStack()
        self._file: IO[bytes]
        self._piece = PIECE
        if self._info.compress_type != zipfile.ZIP_BZIP2:
            self._piece = 4096  # compressed bytes; LZMA expands them to at most 30 MB
            self._file = self._open.enter_context(archive.open(name))
            return
        # zipfile expands each chunk completely, and a kilobyte of BZIP2 can hold a gigabyte.
        packed = self._open.enter_context(io.BufferedReader(_Packed(archive, self._info)))
        if threads == 1:
            self._file = self._open.enter_context(bz2.BZ2File(packed))
        else:
            from rapidgzip import IndexedBzip2File

            self._file = IndexedBzip2File(packed, parallelization=threads)
            self._open.enter_context(self._file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._file.read(min(len(buffer), self._piece))
        except (RuntimeError, ValueError, OSError) as error:  # from rapidgzip; OSError from bz2
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise zipfile.BadZipFile("a block of BZIP2 is damaged") from None
        self._count += len(piece)
        self._crc = zlib.crc32(piece, self._crc)
        size = self._info.file_size
        if self._count > size or (not piece and (self._count, self._crc) != (size, self._info.CRC)):
            raise zipfile.BadZipFile("Bad CRC-32")
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._open.close()
        super().close()


def _reason(error: BaseException) -> str:
    """Say why a member cannot be read, without text taken from the archive."""
    if isinstance(error, RuntimeError):
        return "encrypted, or compressed with an unsupported method"
    return "its CRC-32 is wrong" if "CRC" in str(error) else "it cannot be unpacked"
