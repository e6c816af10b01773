"""Download of archives: resumed after a break, checked before the file gets its final name."""

import shutil
import subprocess
from pathlib import Path

from songnet.errors import SongNetError
from songnet.files import sha1

# curl does the work: it resumes by Range, retries with growing pauses, and gives up on a
# connection that stalls.
CURL = [
    "curl", "--fail", "--location", "--continue-at", "-", "--retry", "8", "--retry-all-errors",
    "--connect-timeout", "20", "--speed-limit", "1024", "--speed-time", "60", "--progress-bar",
]  # fmt: skip


def download(name: str, urls: list[str], checksum: str, path: str | Path) -> None:
    """Fetch one archive.

    Args:
        name: file name, appended to each base address.
        urls: base addresses, tried in turn.
        checksum: SHA-1 as 40 hexadecimal digits.
        path: final name. What has arrived so far lies beside it as ``<path>.part`` and is
            resumed by the next call.

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
        status = subprocess.run([*CURL, "--output", str(part), url]).returncode
        if status != 0:
            problems.append(f"{url}: curl ended with status {status}")
            continue
        found = sha1(part)
        if found == checksum:
            part.replace(path)
            return
        part.unlink()
        problems.append(f"{url}: SHA-1 is {found}, expected {checksum}")
    raise SongNetError("; ".join(problems))
