"""Reading FMA's metadata at full size: 106,574 tracks, 950 MB of features.

    python -m studies.published_features [--stored] [--tracks 106574] [--threads 2]
        [--repeats 3] [--folder DIR]

First generates an archive of that size (400 MB), which takes a few minutes.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from songnet.data.published_features import NAME, read_features
from songnet.data.tracks import read_tracks
from songnet.features.fma518 import columns

CORES = len(os.sched_getaffinity(0))
TRACKS = 106_574
CYCLE = 2_000  # distinct rows, which repeat: 18 MB, far more than a bzip2 block
TEXT = 2_300  # characters of biography and notes per track, so that tracks.csv has 260 MB


def make_metadata(path: Path, tracks: int, packing: int = zipfile.ZIP_BZIP2) -> None:
    """Write ``fma_metadata.zip`` with tracks.csv and features.csv, with rows as long as FMA's.

    Args:
        path: path of the archive.
        tracks: number of tracks; FMA has 106,574.
        packing: compression of the members; FMA uses BZIP2.
    """
    rng = np.random.default_rng(0)
    names = columns()
    head = pd.DataFrame(columns=names, index=pd.Index([], name="track_id")).to_csv()
    # FMA's own format.
    rows = [",".join(f"{x:.10e}" for x in row) for row in rng.normal(size=(CYCLE, len(names)))]
    ids = np.arange(2, tracks + 2)
    with zipfile.ZipFile(path, "w", packing) as archive:
        with archive.open(NAME, "w", force_zip64=True) as file:
            file.write(head.encode())
            for i in ids:
                file.write(f"{i},{rows[i % CYCLE]}\n".encode())
        words = "".join(rng.choice(list("etaoin shrdlu"), TEXT * CYCLE))
        with archive.open("fma_metadata/tracks.csv", "w", force_zip64=True) as file:
            file.write(b",artist,artist,set,set,track\n,bio,id,split,subset,genre_top\n")
            file.write(b"track_id,,,,,\n")
            for i in ids:
                bio = words[TEXT * (i % CYCLE) : TEXT * (i % CYCLE + 1)]
                file.write(f"{i},{bio},{i % 16_341},training,large,Rock\n".encode())


def unpack(path: str) -> None:
    """Decompress features.csv only, the lower bound of any reader."""
    with zipfile.ZipFile(path) as archive, archive.open(NAME) as file:
        while file.read(1 << 20):
            pass


def measured(function: Callable[..., object], *arguments: object) -> tuple[float, float, float]:
    """Measure seconds, CPU seconds and peak MB of a call in its own process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (function, *arguments))


def _measure(function: Callable[..., object], *arguments: object) -> tuple[float, float, float]:
    start, before = time.perf_counter(), time.process_time()
    function(*arguments)
    seconds, busy = time.perf_counter() - start, time.process_time() - before
    # Not ru_maxrss, which a child process inherits from its parent.
    status = Path("/proc/self/status").read_text()
    return seconds, busy, int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Run the measurements and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--tracks", type=int, default=TRACKS, help="tracks in the archive (default: FMA's)"
    )
    parser.add_argument("--stored", action="store_true", help="do not compress the archive")
    parser.add_argument("--threads", type=int, default=CORES, help="threads (default: all cores)")
    parser.add_argument("--repeats", type=int, default=3, help="repeats, for medians (default: 3)")
    parser.add_argument("--folder", help="folder for the archive (default: temporary)")
    arguments = parser.parse_args()
    threads = arguments.threads
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder, "fma_metadata.zip")
        packing = zipfile.ZIP_STORED if arguments.stored else zipfile.ZIP_BZIP2
        make_metadata(path, arguments.tracks, packing)
        with zipfile.ZipFile(path) as archive:
            sizes = {Path(i.filename).name: i.file_size / 1e6 for i in archive.infolist()}
        print({name: f"{size:.0f} MB" for name, size in sizes.items()}, flush=True)
        large = pd.RangeIndex(2, arguments.tracks + 2)
        small = large[:: TRACKS // 8_000]  # the same fraction of tracks as FMA-small
        calls: dict[str, tuple[Callable[..., object], *tuple[object, ...]]] = {
            "tracks.csv": (read_tracks, str(path)),
            "features.csv, unpacked only": (unpack, str(path)),
            "- of fma_small": (read_features, str(path), small, threads),
            "- of all tracks": (read_features, str(path), large, threads),
        }
        rounds = [
            pd.DataFrame({name: measured(*call) for name, call in calls.items()}).T
            for _ in range(arguments.repeats)
        ]
    table = pd.concat(rounds).set_axis(["s", "CPU s", "peak MB"], axis=1)
    table = table.groupby(level=0, sort=False).median()
    for name in ("s", "CPU s"):
        table[f"{name} / unpacked only"] = table[name] / table[name]["features.csv, unpacked only"]
    print(tabulate(table, headers="keys", floatfmt=".2f"))


if __name__ == "__main__":
    main()
