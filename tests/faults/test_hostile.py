"""Hostile: archives that were made to do harm."""

import bz2
import multiprocessing
import re
import resource
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songnet.data.fma_zip import member_name
from songnet.data.tracks import read_tracks
from songnet.errors import SongNetError
from tests.archives import members, write_archive
from tests.faults.conftest import Place
from tests.faults.fuzz import corpus, fuzz, mutated

SCRIPT = "<script>alert(1)</script>"
FORMULA = "=HYPERLINK(1)"
# Tracks of the small archive and what happens to them.
BOMB, LIAR, ROTTEN, CURSED, STOLEN, FUZZED = 4, 7, 8, 10, 11, [13, 14, 16, 17, 19]


def make_hostile(archives: Path) -> None:
    """Spoil the archives in every way at once; most clips stay sound."""
    audio, metadata = archives / "fma_small.zip", archives / "fma_metadata.zip"
    clips, seeds = members(audio), corpus()
    clips |= {member_name("small", t): mutated(seeds, 1, t) for t in FUZZED}
    del clips[member_name("small", STOLEN)]
    with zipfile.ZipFile(audio, "w") as target:
        for name, content in clips.items():
            target.writestr(name, content)
        for name in ("../../escaped.mp3", "/tmp/songnet-escaped.mp3", f"../{STOLEN:06d}.mp3",
                     "fma_small/²/².mp3", f"{FORMULA}.mp3"):  # fmt: skip
            target.writestr(name, b"harm")
        target.getinfo(member_name("small", ROTTEN)).CRC ^= 1
        target.getinfo(member_name("small", LIAR)).file_size = 3_000_000_000
    put_bomb(audio, member_name("small", BOMB).encode())
    tables = {name: table.decode() for name, table in members(metadata).items()}
    rows = tables["fma_metadata/tracks.csv"].splitlines(keepends=True)
    for i, row in enumerate(rows):
        if row.startswith(f"{CURSED},"):
            genre = next(g for g in ("Rock", "Folk", "Electronic") if f",{g}," in row)
            rows[i] = row.replace(f",{genre},", f",{FORMULA},")
        elif i > 2:
            rows[i] = row.replace("Artist ", f"{SCRIPT} ").rstrip("\n") + f" {SCRIPT}\n"
    tables["fma_metadata/tracks.csv"] = "".join(rows)
    write_archive(metadata, tables)


def put_bomb(path: Path, name: bytes) -> None:
    """Let the headers of a clip point to 100 MB of zeros in 100 bytes, said to be 1000 bytes."""
    packed = bz2.compress(bytes(10**8))
    content = bytearray(path.read_bytes())
    central = content.rindex(name) - 46
    local = struct.unpack_from("<I", content, central + 42)[0]
    for header, method, sizes in [(central, 10, 20), (local, 8, 18)]:
        struct.pack_into("<H", content, header + method, zipfile.ZIP_BZIP2)
        struct.pack_into("<II", content, header + sizes, len(packed), 1000)
    start = local + 30 + len(name)
    content[start : start + len(packed)] = packed
    path.write_bytes(content)


def check_quarantine(place: Place) -> None:
    reasons = pd.read_csv(place.results / "quarantine.csv").set_index("track_id")["reason"]
    assert reasons[BOMB] == reasons[ROTTEN] == "damaged in the archive, its CRC-32 is wrong"
    assert reasons[LIAR].startswith("the file is too large: 2861 MB")
    assert reasons[STOLEN] == "in tracks.csv, not in the archive"
    assert reasons[CURSED] == "its genre has fewer than 3 tracks"
    tracks = pd.read_parquet(place.results / "tracks.parquet")
    # Whatever the mutated clips are, they are in one list or the other.
    assert all((track in reasons.index) != (track in tracks.index) for track in FUZZED)


def check_outside(place: Place) -> None:
    """Nothing was written but below the results and Snakemake's own notes."""
    assert not Path("/tmp/songnet-escaped.mp3").exists()
    assert not list(place.project.parent.rglob("*escaped*"))
    allowed = {"archives", "results", ".snakemake", "mlflow.db", "mlartifacts"}
    made = {path.name for path in place.project.iterdir()}
    assert made - allowed == {"Snakefile", "src", "workflow", "config", "profiles", "envs"}
    for path in place.results.rglob("*.csv"):
        text = path.read_text()
        assert FORMULA not in text and SCRIPT not in text, path


def check_memory(place: Place) -> None:
    for log in (place.results / "benchmarks/mel_shard").glob("*.tsv"):
        memory = pd.read_csv(log, sep="\t")["max_rss"].replace("-", np.nan).astype(float)
        assert not (memory > 700).any(), "the job's memory request, MB"


@pytest.mark.short
def test_archives_full_of_harm(empty: Place) -> None:
    make_hostile(empty.archives)
    run = empty.run("data")
    assert run.returncode == 0, run.stdout[-4000:]
    check_quarantine(empty)
    check_outside(empty)
    check_memory(empty)


@pytest.mark.faults
def test_archives_full_of_harm_to_the_end(empty: Place) -> None:
    """Titles and artists are scripts; pages show them as text."""
    make_hostile(empty.archives)
    run = empty.run()
    assert run.returncode == 0, run.stdout[-4000:]
    check_quarantine(empty)
    check_outside(empty)
    check_memory(empty)
    for page in (empty.results / "report").glob("*.html"):
        assert SCRIPT not in page.read_text(), page
    assert "&lt;script&gt;alert(1)" in (empty.results / "report/analysis.html").read_text()
    assert SCRIPT not in (empty.results / "report/results.md").read_text()


def endless_table(path: Path, kind: str) -> None:
    """Put a tracks.csv of about a gigabyte into an archive of a few megabytes."""
    rows = members(path)["fma_metadata/tracks.csv"].splitlines(keepends=True)
    blocks = {
        "ten million rows": b"".join(rows[3:5] * 50_000),
        "a row without an end": b"x" * 10**7,
        "text that is not UTF-8": b"\xff" * 10**7,
    }
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
        target.open("fma_metadata/tracks.csv", "w", force_zip64=True) as file,
    ):
        file.write(b"".join(rows[:5]))
        for _ in range(100):
            file.write(blocks[kind])


def reading(path: str) -> tuple[str, float]:
    """What is said of a table, and the memory (MB) that it took."""
    message = ""
    try:
        read_tracks(path)
    except SongNetError as error:
        message = str(error)
    # Not getrusage: it knows of the parent's memory too.
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return message, int(found.group(1)) / 1024


@pytest.mark.faults
@pytest.mark.parametrize(
    "kind", ["ten million rows", "a row without an end", "text that is not UTF-8"]
)
def test_table_with(archives: Path, tmp_path: Path, kind: str) -> None:
    path = shutil.copy(archives / "fma_metadata.zip", tmp_path)
    endless_table(Path(path), kind)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        message, memory = pool.apply(reading, (str(path),))
    assert "tracks.csv is not a table of tracks" in message and "\n" not in message, message
    assert memory < 700, "MB that the job asks for, less those of Snakemake"


def check_fuzz(seed: int, count: float = np.inf, seconds: float = np.inf) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    outcome = fuzz(seed, count, seconds)
    assert outcome.tried > 0 and outcome.reasons["sound"] < outcome.tried
    assert not outcome.crashed and not outcome.hung and not outcome.failed, outcome
    # The child begins with the pages of this process.
    assert outcome.memory < before + 400, "MiB"


@pytest.mark.short
def test_mutated_clips_in_short() -> None:
    check_fuzz(1, count=60)


@pytest.mark.faults
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mutated_clips_for_minutes(seed: int) -> None:
    check_fuzz(seed, seconds=60)
