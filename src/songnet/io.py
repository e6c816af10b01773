"""Atomic writing of files, locks and checksums."""

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

from songnet.errors import NoSpaceError, SongNetError

log = logging.getLogger("songnet")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path`` and rename it to ``path`` if the block succeeds.

    Neither a reader nor a later run after a kill ever sees a partly written file at ``path``.

    Raises:
        NoSpaceError: the disk is full.
        OSError: the folder is not writable.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name is fixed, so that the next writer overwrites the leftovers of a killed one. The
    # suffix stays last because several writers choose their format by it.
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        with own(temporary) as owned:
            try:
                yield temporary
                # Libraries that create the file themselves may set other permissions.
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
    """Flush a file or folder to disk, so that a power cut leaves no file name without content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (
            errno.EINVAL,
            errno.ENOTSUP,
        ):  # the file system does not support fsync
            raise
    finally:
        os.close(descriptor)


def own(temporary: Path) -> IO[bytes]:
    """Open or create a temporary file and lock it until this process ends.

    Jobs survive a killed Snakemake. The same job of the next run waits here until the old one
    ends, so that two processes never write one file.
    """
    while True:
        temporary.parent.mkdir(parents=True, exist_ok=True)  # the previous holder may remove it
        file = temporary.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("waiting for another process that writes %s", temporary)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # network file systems without locks
            pass
        # The previous holder of the lock may have renamed the file to its final name.
        if temporary.exists() and temporary.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
        file.close()


def no_space(path: Path) -> NoSpaceError:
    """Create the error for a file that does not fit on the disk."""
    return NoSpaceError(f"{path}: no space left; free some and run again")


FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(folder: Path, error: Exception) -> bool:
    """Return whether an error came from a full disk, which libraries report in many ways."""
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    return "No space left" in str(error) or shutil.disk_usage(folder).free < 2**16


def machine_lock(name: str) -> FileLock:
    """Return a lock between this user's processes on this machine; it ends with its process."""
    # One folder per user, since the files of other users cannot be opened.
    folder = Path(tempfile.gettempdir(), f"songnet-{os.getuid()}")
    folder.mkdir(exist_ok=True)
    return FileLock(folder / f"{name}.lock")


def date_to_now(folder: str | Path) -> None:
    """Set modification times that lie in the future to the current time.

    Snakemake compares modification times. If the clock ran ahead and was set back, old outputs
    would seem newer than everything written after them.
    """
    now = time.time()
    for path in Path(folder).rglob("*"):
        with suppress(OSError):  # owned by another user, or deleted meanwhile
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
    """Return the SHA-1 of a file as 40 hexadecimal digits, reading it in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, reading it in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked_sums(paths: list[str], expected: dict[str, dict[str, str]]) -> dict[str, str]:
    """Compute the SHA-1 of each file and compare it with the expected one.

    Args:
        paths: files.
        expected: by file name, a mapping with the key ``sha1``; other files are not checked.

    Returns:
        SHA-1 by file name.

    Raises:
        SongNetError: a checksum differs.
    """
    sums = {Path(path).name: sha1(path) for path in paths}
    for path in paths:
        name = Path(path).name
        right = expected.get(name, {}).get("sha1", sums[name])
        if sums[name] != right:
            raise SongNetError(f"{path}: SHA-1 is {sums[name]}, expected {right}")
    return sums


def digest(value: Any) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a JSON-like value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def load_class(path: str) -> Any:
    """Import a class by its dotted path."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
