"""The workflow from download to a trained C-RNN on archives of FMA-small's size.

Archives with FMA-small's list of tracks and clip size are built from a few hundred clips and
served from this machine. The workflow downloads, indexes and splits them, computes spectrograms
and trains the C-RNN for one epoch, for several numbers of tracks. A table and a figure of time,
peak memory and disk space by number of tracks are written.

    python -m studies.rehearsal [--tracks 1000 2000 4000 8000] [--clips fma_small.zip]
        [--seconds 30] [--list DIR] [--hop-length 512] [--cores 2] [--out results/rehearsal]

8,000 tracks need 20 GB of disk while it runs. Spectrograms of clips shorter than 30 s are padded:
files, training crops, tables and the plan do not change, but unzipping, decoding, spectrograms and
predictions take less time.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import matplotlib
import pandas as pd
import psutil
import yaml

from songnet.io import sha1
from studies.fma_like import (
    BROKEN,
    clip_pool,
    grow_archive,
    in_rounds,
    small_tracks,
    write_metadata,
)
from studies.project import copy_project

matplotlib.use("Agg")
import matplotlib.pyplot as plt

TRACKS_PER_SHARD = 125  # as for FMA-small
RESULTS = "results/fma_small"
SCRIPT = re.compile(r"tmp\w+\.(\w+)\.py")  # name of a job's temporary script
# Scripts of each stage, a column of the table.
STAGES = {
    "download": ["download"],
    "index": ["select_tracks", "index_tracks", "split_tracks"],
    "mel": ["mel_shard"],
    "training": ["train_crnn"],
    "evaluation": ["evaluate"],
}


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without logging."""

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine and yield its URL."""
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()


def prepare(project: Path, archives: Path, url: str, tracks: int) -> None:
    """Copy the workflow and point its data set fma_small to the generated archives."""
    copy_project(project)
    path = project / "config/datasets.yaml"
    table = yaml.safe_load(path.read_text())
    table["fma_small"] |= {
        "files": {file.name: {"sha1": sha1(file)} for file in archives.glob("*.zip")},
        "urls": [url],
        "shards": max(1, round(tracks / TRACKS_PER_SHARD)),
        "training": {"epochs": 1},
    }
    path.write_text(yaml.safe_dump(table, sort_keys=False))


def run(project: Path, cores: int, settings: list[str]) -> pd.DataFrame:
    """Run the workflow and monitor its jobs.

    Returns:
        For each script: ``cpu``, CPU seconds of all its jobs, and ``peak``, MB of its largest job
        without mapped files, which the kernel can evict.
    """
    command = [
        sys.executable, "-m", "snakemake", "--cores", str(cores), "--config", "dataset=fma_small",
        "models=[crnn]", "protocols=[artist]", "seeds=[1]", *settings, "--", "crnn",
    ]  # fmt: skip
    log = project / "log.txt"
    seen: dict[tuple[str, int], tuple[float, float]] = {}
    with log.open("w") as file:
        workflow = psutil.Popen(command, cwd=project, stdout=file, stderr=subprocess.STDOUT)
        while workflow.poll() is None:
            for process in workflow.children(recursive=True):
                _look(process, seen)
            time.sleep(0.25)
    if workflow.returncode:
        sys.exit(log.read_text()[-3000:])
    rows = [(script, cpu, peak) for (script, _), (cpu, peak) in seen.items()]
    jobs = pd.DataFrame(rows, columns=["script", "cpu", "peak"])
    return jobs.groupby("script").agg({"cpu": "sum", "peak": "max"})


def _look(process: psutil.Process, seen: dict[tuple[str, int], tuple[float, float]]) -> None:
    try:
        script = SCRIPT.search(" ".join(process.cmdline()))
        status = Path(f"/proc/{process.pid}/status").read_text()
        times = process.cpu_times()
    except (psutil.Error, OSError):
        return  # the process has ended
    memory = status.partition("RssAnon:")[2].split()
    if script is None or not memory:
        return
    key = (script[1], process.pid)
    peak = max(int(memory[0]) / 1000, seen.get(key, (0.0, 0.0))[1])
    cpu = times.user + times.system + times.children_user + times.children_system
    seen[key] = (cpu, peak)


def rehearse(
    archives: Path, tracks: int, cores: int, settings: list[str], folder: Path
) -> dict[str, float]:
    """Run the workflow once and return a row of the table."""
    with served(archives) as url, tempfile.TemporaryDirectory(dir=folder) as name:
        project = Path(name)
        prepare(project, archives, url, tracks)
        before, start = os.times(), time.perf_counter()
        jobs = run(project, cores, settings)
        wall, after = time.perf_counter() - start, os.times()
        results = project / RESULTS
        usable = pd.read_parquet(results / "tracks.parquet")
        quarantine = pd.read_csv(results / "quarantine.csv")
        listed = set(usable.index) | set(quarantine["track_id"])
        if len(listed) != tracks or not set(quarantine["track_id"]) <= set(BROKEN):
            sys.exit(f"{len(usable)} usable and {len(quarantine)} quarantined of {tracks} tracks")
        mel = sum(file.stat().st_size for file in (results / "mel").glob("*.npy"))
        disk = sum(
            file.stat().st_size
            for name in ("resources", "results")
            for file in (project / name).rglob("*")
            if file.is_file()
        )
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    row: dict[str, float] = {
        "tracks": tracks,
        "quarantined": len(quarantine),
        "archive GB": (archives / "fma_small.zip").stat().st_size / 1e9,
        "spectrograms GB": mel / 1e9,
        "all files GB": disk / 1e9,
        "wall s": wall,
        "CPU s": cpu,
        "CPU ms per track": 1000 * cpu / tracks,
    }
    for stage, scripts in STAGES.items():
        jobs_of = jobs.loc[jobs.index.intersection(scripts)]
        row[f"{stage} ms per track"] = 1000 * jobs_of["cpu"].sum() / tracks
        row[f"{stage} peak MB"] = jobs_of["peak"].max()
    return row


def draw(table: pd.DataFrame, path: Path) -> None:
    """Plot time, memory and disk space by number of tracks."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    for stage in STAGES:
        axes[0].plot(table["tracks"], table[f"{stage} ms per track"], "o-", label=stage)
        axes[1].plot(table["tracks"], table[f"{stage} peak MB"], "o-", label=stage)
    axes[0].plot(table["tracks"], table["CPU ms per track"], "ko-", label="total, with Snakemake")
    axes[0].set_ylabel("CPU time per track, ms")
    axes[1].set_ylabel("peak memory of a job, MB")
    axes[2].plot(table["tracks"], table["archive GB"], "o-", label="archive")
    axes[2].plot(table["tracks"], table["spectrograms GB"], "o-", label="spectrograms")
    axes[2].set_ylabel("disk, GB")
    for axis in axes:
        axis.set_xlabel("tracks")
        axis.set_xlim(0, None)
        axis.set_ylim(0, None)
        axis.grid(alpha=0.3)
    axes[2].legend(frameon=False)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    figure.savefig(path)
    plt.close(figure)


def main(words: list[str] | None = None) -> pd.DataFrame:
    """Run the rehearsal and write ``table.md``, ``table.csv`` and ``figure.svg``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tracks", type=int, nargs="+", default=[1000, 2000, 4000, 8000])
    parser.add_argument("--clips", type=Path, help="audio archive to take clips from")
    parser.add_argument("--pool", type=int, default=300, help="number of distinct clips")
    parser.add_argument("--seconds", type=int, default=30, help="length of each clip")
    parser.add_argument("--list", help="folder with FMA's fma_metadata.zip, for its list of tracks")
    parser.add_argument("--hop-length", type=int, default=512)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/rehearsal"))
    arguments = parser.parse_args(words)
    arguments.out.mkdir(parents=True, exist_ok=True)
    folder = arguments.out.resolve()
    listed = in_rounds(small_tracks(arguments.list)).head(max(arguments.tracks))
    pool = clip_pool(arguments.pool, arguments.clips, arguments.cores, arguments.seconds)
    settings = [f"spectrogram={{hop_length: {arguments.hop_length}}}"]
    rows = []
    with tempfile.TemporaryDirectory(dir=folder) as name:
        archives = Path(name)
        for tracks in sorted(arguments.tracks):
            write_metadata(archives / "fma_metadata.zip", listed.head(tracks))
            grow_archive(archives / "fma_small.zip", listed.head(tracks), pool, listed)
            rows.append(rehearse(archives, tracks, arguments.cores, settings, folder))
            print({key: round(value, 2) for key, value in rows[-1].items()}, flush=True)
            table = pd.DataFrame(rows)
            table.to_csv(folder / "table.csv", index=False)
            text = table.set_index("tracks").T.to_markdown(floatfmt=".2f")
            (folder / "table.md").write_text(text + "\n")
            draw(table, folder / "figure.svg")
    print(text)
    return table


if __name__ == "__main__":
    main()
