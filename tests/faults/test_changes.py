"""Changes: archives, clips and clocks that are not what they were, and two runs at once."""

import os
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from songnet.data.fma_zip import member_name
from songnet.io import sha1
from tests.archives import members, write_archive
from tests.conftest import processes
from tests.faults.conftest import Place, errors

HOUR = 3600.0


def without(archive: Path, track_id: int) -> None:
    """Leave one clip out, under a date long before the results."""
    clips = members(archive)
    del clips[member_name("small", track_id)]
    other = write_archive(archive.with_name("other"), clips, zipfile.ZIP_STORED)
    os.utime(other, (time.time() - 1000 * HOUR,) * 2)
    other.replace(archive)


def test_archive_replaced_by_an_older_file(made: Place, tmp_path: Path) -> None:
    """Its date is before that of the results, which are computed again all the same."""
    place = made.copy(tmp_path / "project")
    archive = place.archives / "fma_small.zip"
    without(archive, 7)
    run = place.run("data")
    assert run.returncode == 0, run.stdout[-4000:]
    assert 7 not in pd.read_parquet(place.results / "tracks.parquet").index
    quarantine = pd.read_csv(place.results / "quarantine.csv").set_index("track_id")["reason"]
    assert quarantine[7] == "in tracks.csv, not in the archive"
    assert sha1(archive) in (place.results / "archives.json").read_text()


def test_two_snakemakes_at_once(empty: Place) -> None:
    first = empty.start("data")
    while not (begun := processes(first, "mel_shard")):
        assert first.poll() is None, empty.output()
        time.sleep(0.05)
    begun[0].suspend()  # so that the first run does not end before the second begins
    try:
        second = empty.run("data")
    finally:
        begun[0].resume()
    assert second.returncode != 0
    assert "locked" in second.stdout and "other Snakemake process" in second.stdout
    assert first.wait(600) == 0, empty.output()
    assert "Nothing to be done" in empty.run("data").stdout


@pytest.mark.faults
def test_clip_that_turns_unreadable(place: Place, quiet: Place) -> None:
    """Bytes on the disk rot: size and date stay, and features and pages meet the clip."""
    track_id = int(pd.read_parquet(place.results / "tracks.parquet").query("shard == 1").index[0])
    archive = place.archives / "fma_small.zip"
    before = archive.stat()
    with zipfile.ZipFile(archive) as source:
        at = source.getinfo(member_name("small", track_id)).header_offset + 2000
    content = archive.read_bytes()
    archive.write_bytes(content[:at] + bytes(500) + content[at + 500 :])
    os.utime(archive, ns=(before.st_atime_ns, before.st_mtime_ns))
    place.remove("features", "runs/artist/knn", "report")
    targets = ["results_table", "results/local/report/analysis.html"]
    run = place.run(*targets)
    assert run.returncode != 0
    lines = errors(run.stdout)
    name = member_name("small", track_id)
    assert any(f"{name} is no longer usable" in line for line in lines), lines
    # The archive is mended from a copy, and nothing else is needed.
    archive.write_bytes(content)
    os.utime(archive, ns=(before.st_atime_ns, before.st_mtime_ns))
    place.finish(*targets)
    place.check_like(quiet)


@pytest.mark.faults
def test_clock_set_back(place: Place) -> None:
    """All products have tomorrow's date; one is computed again, then what depends on it."""
    for path in place.results.rglob("*"):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 24 * HOUR))
    without(place.archives / "fma_small.zip", 7)
    assert place.run("results/local/selection.parquet").returncode == 0
    # What is left over seems not newer than the new selection.
    place.finish("results_table")
    assert 7 not in pd.read_parquet(place.results / "tracks.parquet").index
    predictions = pd.read_parquet(place.results / "runs/artist/knn/1/predictions.parquet")
    assert 7 not in set(predictions["track_id"])
