"""Download of archives: resumed after a break, checked before the file gets its final name."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from songnet.errors import SongNetError
from songnet.io import is_full, no_space, own, sha1

# curl does the work and gives up on a connection that stalls. It is called again for each attempt,
# since its own retries fetch again what the first attempt already had.
CURL = [
    "curl", "--fail", "--location", "--continue-at", "-", "--connect-timeout", "20",
    "--speed-limit", "1024", "--write-out", "%{http_code}",
]  # fmt: skip
ATTEMPTS = 8  # in a row that bring nothing new
FINAL = {"400", "401", "403", "404", "410"}  # answers that another attempt will not change
# What curl ends with:
RANGE_REFUSED = 33  # the server cannot resume
CANNOT_WRITE = 23
HOPELESS = {1, 3, 37}  # no such protocol, no address, no such file: file:///... is an address too


def download(
    name: str,
    urls: list[str],
    checksum: str,
    path: str | Path,
    pause: float = 1.0,
    patience: int = 60,
) -> None:
    """Fetch one archive.

    Args:
        name: file name, appended to each base address.
        urls: base addresses, tried in turn.
        checksum: SHA-1 as 40 hexadecimal digits.
        path: final name. What has arrived so far lies beside it as ``<path>.part`` and is
            resumed by the next call.
        pause: seconds before the next attempt; doubled after the second and each further one in
            a row that brings nothing new, up to a minute.
        patience: seconds of less than 1 kB/s after which a connection counts as dead.

    Raises:
        SongNetError: no address gave the file, its SHA-1 is another, or the disk is full.
    """
    if shutil.which("curl") is None:
        raise SongNetError("curl is not installed; it downloads the archives")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    problems = []
    for base in urls:
        url = base.rstrip("/") + "/" + name
        # A job that outlived its Snakemake may be at it: what it has fetched is waited for.
        with own(part) as file:
            if path.exists() and sha1(path) == checksum:
                part.unlink()
                return
            problem = _fetch(url, file, pause, patience)
            found = "" if problem else sha1(part)
            if found == checksum:
                part.replace(path)
                return
            if found or not part.stat().st_size:
                part.unlink()
        problems.append(f"{url}: {problem or f'SHA-1 is {found}, expected {checksum}'}")
    raise SongNetError("; ".join(problems))


def _fetch(url: str, file: IO[bytes], pause: float, patience: int) -> str:
    """Complete a file that is locked; returns what went wrong, if anything."""
    part = Path(file.name)
    fruitless, answer, status = 0, "", 0
    most = part.stat().st_size  # a server that cannot resume brings the beginning again and again
    while fruitless < ATTEMPTS:
        if status:  # of the attempt before
            time.sleep(min(60, pause * 2 ** max(0, fruitless - 1)))
        command = [*CURL, "--speed-time", str(patience), "--output", str(part), url]
        # In a job, file 2 is the log and sys.stderr the terminal, where a bar is welcome.
        if sys.stderr.isatty() and not os.environ.get("TQDM_DISABLE"):
            command, terminal = [*command, "--progress-bar"], sys.stderr.fileno()
        else:
            command, terminal = [*command, "--no-progress-meter"], None
        # A curl that outlives its job keeps the lock, too.
        curl = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=terminal, text=True, pass_fds=[file.fileno()]
        )
        answer, status = curl.stdout, curl.returncode
        if status == 0 or answer == "416":  # 416: nothing is missing
            return ""
        if status == CANNOT_WRITE:
            if is_full(part.parent, OSError()):
                raise no_space(part)
            raise SongNetError(f"{part}: may not be written")
        if answer in FINAL or status in HOPELESS:
            break
        if status == RANGE_REFUSED:
            os.truncate(part, 0)
        size = part.stat().st_size
        fruitless, most = (0, size) if size > most else (fruitless + 1, most)
    return f"the server answers {answer}" if answer >= "400" else f"curl ended with status {status}"
