"""Resumable downloads of archives; a file gets its final name after its checksum is verified."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from songnet.errors import SongNetError
from songnet.io import is_full, no_space, own, sha1

# curl is started again for each attempt: its own --retry fetches again what the first attempt
# already had.
CURL = [
    "curl", "--fail", "--location", "--continue-at", "-", "--connect-timeout", "20",
    "--speed-limit", "1024", "--write-out", "%{http_code}",
]  # fmt: skip
ATTEMPTS = 8  # consecutive attempts without progress
FINAL = {"400", "401", "403", "404", "410"}  # HTTP status codes for which a retry is useless
# Exit codes of curl:
RANGE_REFUSED = 33  # the server cannot resume
CANNOT_WRITE = 23
HOPELESS = {1, 3, 37}  # unsupported protocol, malformed URL, missing local file (file:///...)


def download(
    name: str,
    urls: list[str],
    checksum: str,
    path: str | Path,
    pause: float = 1.0,
    patience: int = 60,
) -> None:
    """Download one archive.

    Args:
        name: file name, appended to each base URL.
        urls: base URLs, tried in turn.
        checksum: SHA-1 as 40 hexadecimal digits.
        path: output. An incomplete download is kept as ``<path>.part``, and the next call resumes
            it.
        pause: seconds before the next attempt. It doubles with every attempt without progress from
            the second on, up to a minute.
        patience: seconds below 1 kB/s after which a connection counts as dead.

    Raises:
        SongNetError: no URL provided the file, its SHA-1 differs, or the disk is full.
    """
    if shutil.which("curl") is None:
        raise SongNetError("curl is not installed; it downloads the archives")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    problems = []
    for base in urls:
        url = base.rstrip("/") + "/" + name
        # A job of a killed Snakemake may still be downloading; wait for it and use its file.
        with own(part) as file:
            if path.exists() and sha1(path) == checksum:
                part.unlink()
                return
            problem = _fetch(url, file, pause, patience)
            digest = "" if problem else sha1(part)
            if digest == checksum:
                part.replace(path)
                return
            if digest or not part.stat().st_size:
                part.unlink()
        problems.append(f"{url}: {problem or f'SHA-1 is {digest}, expected {checksum}'}")
    raise SongNetError("; ".join(problems))


def _fetch(url: str, file: IO[bytes], pause: float, patience: int) -> str:
    """Complete a locked file, and return what went wrong, or an empty string."""
    part = Path(file.name)
    failures, answer, status = 0, "", 0
    # Progress is measured against the largest size, since a server that cannot resume starts over.
    largest = part.stat().st_size
    while failures < ATTEMPTS:
        if status:  # the previous attempt failed
            time.sleep(min(60, pause * 2 ** max(0, failures - 1)))
        command = [*CURL, "--speed-time", str(patience), "--output", str(part), url]
        # In a job, file descriptor 2 is the log and sys.stderr the terminal, which shows progress.
        if sys.stderr.isatty() and not os.environ.get("TQDM_DISABLE"):
            command, terminal = [*command, "--progress-bar"], sys.stderr.fileno()
        else:
            command, terminal = [*command, "--no-progress-meter"], None
        # curl inherits the lock, so a curl that outlives its job keeps it.
        curl = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=terminal, text=True, pass_fds=[file.fileno()]
        )
        answer, status = curl.stdout, curl.returncode
        if status == 0 or answer == "416":  # 416: nothing is missing
            return ""
        if status == CANNOT_WRITE:
            if is_full(part.parent, OSError()):
                raise no_space(part)
            raise SongNetError(f"{part}: cannot be written")
        if answer in FINAL or status in HOPELESS:
            break
        if status == RANGE_REFUSED:
            os.truncate(part, 0)
        size = part.stat().st_size
        failures, largest = (0, size) if size > largest else (failures + 1, largest)
    return f"the server answers {answer}" if answer >= "400" else f"curl ended with status {status}"
