"""Files that are either complete or absent, and their digests."""

import errno
import fcntl
import hashlib
import importlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

from songnet.errors import SongNetError

log = logging.getLogger("songnet")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its name when the block succeeds.

    A reader, or a run after a kill, never meets a half-written file under its final name.

    Raises:
        SongNetError: the disk is full.
        OSError: the folder cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name is fixed, so what a killed writer left is written over by the next. The suffix stays
    # last, since several writers choose their format by it.
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        with own(temporary) as owned:
            try:
                yield temporary
                # Libraries that write a file of their own choose other rights.
                temporary.chmod(os.fstat(owned.fileno()).st_mode)
                _sync(temporary)
                temporary.replace(path)
                _sync(path.parent)
            except BaseException as error:
                full = isinstance(error, Exception) and is_full(path.parent, error)
                temporary.unlink(missing_ok=True)
                if full:
                    raise no_space(path) from error
                raise
    except OSError as error:
        if error.errno in FULL:
            raise no_space(path) from error
        raise


def _sync(path: Path) -> None:
    """Bring a file or folder to the disk, so that a power cut leaves no name without content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that know no such thing
            raise
    finally:
        os.close(descriptor)


def own(temporary: Path) -> IO[bytes]:
    """Create a temporary file or take up what lies there, and lock it until its process ends.

    Jobs outlive a Snakemake that is killed: the next run's job waits here until they are through,
    or two would write one file.
    """
    while True:
        file = temporary.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("waiting for another process, which makes %s", temporary)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # network file systems without locks
            pass
        # Who held the lock may have given the file its final name.
        if temporary.exists() and temporary.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
        file.close()


def no_space(path: Path) -> SongNetError:
    """Error of a file for which the disk is too full."""
    return SongNetError(f"{path}: no space left; free some and run again")


FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(folder: Path, error: Exception) -> bool:
    """Whether an error came from a full disk; libraries word it in many ways, or not at all."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    return "No space left" in str(error) or shutil.disk_usage(folder).free < 2**16


def machine_lock(name: str) -> FileLock:
    """Return a lock among this user's processes on this machine; it ends with its process."""
    folder = Path(tempfile.gettempdir(), f"songnet-{os.getuid()}")  # others' could not be opened
    folder.mkdir(exist_ok=True)
    return FileLock(folder / f"{name}.lock")


def date_to_now(folder: str | Path) -> None:
    """Give files of the future today's date.

    Snakemake compares dates. A clock that ran ahead and was set back leaves products that would
    seem newer than all that is made after them.
    """
    now = time.time()
    for path in Path(folder).rglob("*"):
        with suppress(OSError):  # not ours, or gone
            if path.lstat().st_mtime > now:
                os.utime(path, (now, now), follow_symlinks=False)


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text())


def sha1(path: str | Path) -> str:
    """SHA-1 of a file as 40 hexadecimal digits, read in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()


def sha256(path: str | Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits, read in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked_sums(paths: list[str], expected: dict[str, dict[str, str]]) -> dict[str, str]:
    """SHA-1 of each file by its name.

    Args:
        paths: files.
        expected: by name, tables whose ``sha1`` is the right sum; other files are not checked.

    Raises:
        SongNetError: a sum is another.
    """
    sums = {Path(path).name: sha1(path) for path in paths}
    for path in paths:
        name = Path(path).name
        right = expected.get(name, {}).get("sha1", sums[name])
        if sums[name] != right:
            raise SongNetError(f"{path}: SHA-1 is {sums[name]}, expected {right}")
    return sums


def digest(value: Any) -> str:
    """Return sixteen hexadecimal digits that stand for a JSON-like value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def load_class(path: str) -> Any:
    """Import a class by its path."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
