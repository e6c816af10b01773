"""Tagging of a library of 20,000 files, once undisturbed and once with three kills.

The files are copies of an archive's clips. `songnet tag` is killed by SIGKILL at a quarter, a half
and three quarters; its table must equal that of the undisturbed run. Times and the peak memory of
all processes are written, for several library sizes.

    python -m studies.library_rehearsal --model best.safetensors --clips fma_small.zip
        [--files 1000 20000] [--excerpt 30] [--jobs 2] [--out results/library_rehearsal]

20,000 files of 30 s need 5 GB of disk while it runs. A shorter excerpt only reduces the time.
"""

import argparse
import hashlib
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import psutil

from songnet.io import write_json

KILLS = (0.25, 0.5, 0.75)  # fractions of the files at which a run is killed
PER_FOLDER = 100  # files per folder
LOOK_SECONDS = 0.5  # interval at which memory and journals are checked


class Run(NamedTuple):
    """One run of `songnet tag`."""

    seconds: float
    peak_mb: float  # all processes together; shared pages count once
    killed: bool


def main() -> None:
    """Run the rehearsal and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True, help="archive of clips")
    parser.add_argument("--files", type=int, nargs="+", default=[1_000, 20_000])
    parser.add_argument("--excerpt", default="30")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/library_rehearsal"))
    options = parser.parse_args()
    found = []
    for count in options.files:
        with tempfile.TemporaryDirectory() as folder:
            found.append(rehearse(Path(folder), options, count))
        options.out.mkdir(parents=True, exist_ok=True)
        write_json(options.out / "rehearsal.json", found)
        print(found[-1], flush=True)


def rehearse(folder: Path, options: argparse.Namespace, count: int) -> dict[str, object]:
    """Tag a library of ``count`` files undisturbed and with kills."""
    music = folder / "music"
    copy_clips(options.clips, music, count)
    plain, killed = folder / "plain.parquet", folder / "killed.parquet"
    undisturbed = tag(music, plain, options, count)
    runs = [tag(music, killed, options, count, share) for share in KILLS]
    runs.append(tag(music, killed, options, count))
    assert [run.killed for run in runs] == [True, True, True, False], runs
    again = tag(music, plain, options, count)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (plain, killed)]
    return {
        "files": count,
        "excerpt": options.excerpt,
        "jobs": options.jobs,
        "seconds": round(undisturbed.seconds),
        "seconds_with_kills": round(sum(run.seconds for run in runs)),
        "seconds_of_second_run": round(again.seconds, 1),
        "peak_mb": round(undisturbed.peak_mb),
        "table_mb": round(plain.stat().st_size / 1e6, 1),
        "equal": digests[0] == digests[1],
    }


def copy_clips(archive: Path, folder: Path, count: int) -> None:
    """Write copies of an archive's clips into several folders."""
    with zipfile.ZipFile(archive) as clips:
        names = [name for name in clips.namelist() if name.endswith(".mp3")]
        contents = [clips.read(name) for name in names]
    for place in range(count):
        path = folder / f"{place // PER_FOLDER:04d}" / f"song {place:06d}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[place % len(contents)])


def tag(
    music: Path, table: Path, options: argparse.Namespace, count: int, until: float | None = None
) -> Run:
    """Run `songnet tag`; kill it when a fraction ``until`` of the files is in its journals."""
    command = [sys.executable, "-m", "songnet.cli", "tag", str(music), "-o", str(table)]
    command += ["--model", str(options.model), "--jobs", str(options.jobs)]
    command += ["--excerpt", options.excerpt]
    before, peak = time.monotonic(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, memory_mb(process.pid))
        if until is not None and rows(table) >= until * count:
            process.send_signal(signal.SIGKILL)
        time.sleep(LOOK_SECONDS)
    assert process.returncode == (0 if until is None else -signal.SIGKILL), process.returncode
    return Run(time.monotonic() - before, peak, process.returncode != 0)


def rows(table: Path) -> int:
    """Count the rows in the journals of an unfinished run."""
    parts = table.parent.glob(f".{table.name}.work/*/*/*.jsonl")
    return sum(part.read_bytes().count(b"\n") for part in parts)


def memory_mb(pid: int) -> float:
    """Return the memory of a process and its children; shared pages count once."""
    try:
        this = psutil.Process(pid)
        processes = [this, *this.children(recursive=True)]
        return sum(process.memory_full_info().pss for process in processes) / 2**20
    except psutil.Error:  # one of them has just ended
        return 0.0


if __name__ == "__main__":
    main()
