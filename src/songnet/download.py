"""Download of archives: resumed after a break, checked before the file gets its final name."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from songnet.errors import SongNetError
from songnet.files import sha1

# curl does the work and gives up on a connection that stalls. It is called anew for each attempt,
# since its own retries fetch again what the first attempt already had.
CURL = [
    "curl", "--fail", "--location", "--continue-at", "-", "--connect-timeout", "20",
    "--speed-limit", "1024", "--write-out", "%{http_code}",
]  # fmt: skip
ATTEMPTS = 8  # in a row that bring nothing new
FINAL = {"400", "401", "403", "404", "410"}  # answers that another attempt will not change
RANGE_REFUSED = 33  # curl's status when the server cannot resume


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
        pause: seconds before the second attempt; doubled after each that brings nothing new.
        patience: seconds of less than 1 kB/s after which a connection counts as dead.

    Raises:
        SongNetError: no address gave the file, or its SHA-1 is another.
    """
    if shutil.which("curl") is None:
        raise SongNetError("curl is not installed; it downloads the archives")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    problems = []
    for base in urls:
        url = base.rstrip("/") + "/" + name
        problem = _fetch(url, part, pause, patience)
        if problem:
            problems.append(f"{url}: {problem}")
            continue
        found = sha1(part)
        if found == checksum:
            part.replace(path)
            return
        part.unlink()
        problems.append(f"{url}: SHA-1 is {found}, expected {checksum}")
    raise SongNetError("; ".join(problems))


def _fetch(url: str, part: Path, pause: float, patience: int) -> str:
    """Complete ``part``; returns what went wrong, if anything."""
    fruitless, answer, status = 0, "", 0
    while fruitless < ATTEMPTS:
        before = _size(part)
        command = [*CURL, "--speed-time", str(patience), "--output", str(part), url]
        # In a job, file 2 is the log and sys.stderr the terminal, where a bar is welcome.
        if sys.stderr.isatty() and not os.environ.get("TQDM_DISABLE"):
            command, terminal = [*command, "--progress-bar"], sys.stderr.fileno()
        else:
            command, terminal = [*command, "--no-progress-meter"], None
        curl = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, text=True)
        answer, status = curl.stdout, curl.returncode
        if status == 0 or answer == "416":  # 416: nothing is missing
            return ""
        if answer in FINAL:
            break
        if status == RANGE_REFUSED:
            part.unlink()
        fruitless = 0 if _size(part) > before else fruitless + 1
        time.sleep(min(60, pause * 2**fruitless))
    return f"the server answers {answer}" if answer >= "400" else f"curl ended with status {status}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
