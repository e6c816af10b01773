"""FMA's features.csv: only the requested rows, with FMA's columns."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from studies.published_features import make_metadata, measured

from songnet.data.published_features import NAME, read_features
from songnet.errors import SongNetError
from songnet.features.fma518 import columns
from tests.archives import write_archive


@pytest.fixture
def published(tmp_path: Path) -> tuple[str, pd.DataFrame]:
    """500 tracks in FMA's format: three header rows, and one that names the index."""
    values = np.random.default_rng(0).normal(size=(500, 518))
    table = pd.DataFrame(values, columns=columns(), index=pd.RangeIndex(2, 502, name="track_id"))
    path = write_archive(tmp_path / "fma_metadata.zip", {NAME: table.to_csv()})
    return str(path), table


def test_read_features_keeps_wanted_order(published: tuple[str, pd.DataFrame]) -> None:
    path, table = published
    wanted = pd.Index([400, 7, 2, 501])
    found = read_features(path, wanted)
    assert found.index.equals(wanted)
    assert found.columns.equals(columns())
    assert (found.dtypes == "float32").all()
    np.testing.assert_allclose(found, table.loc[wanted], rtol=1e-6)
    assert found["mfcc"].shape == (4, 140)


def test_read_features_with_unnamed_index(
    published: tuple[str, pd.DataFrame], tmp_path: Path
) -> None:
    path, table = published
    lines = table.to_csv().splitlines(keepends=True)
    unnamed = write_archive(tmp_path / "unnamed.zip", {NAME: "".join(lines[:3] + lines[4:])})
    wanted = pd.Index([2, 501])
    pd.testing.assert_frame_equal(read_features(str(unnamed), wanted), read_features(path, wanted))


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """700 tracks: 6 MB, seven blocks of BZIP2."""
    path = tmp_path_factory.mktemp("blocks") / "fma_metadata.zip"
    make_metadata(path, 700)
    return path


def test_read_features_with_threads_is_equal(blocks: Path) -> None:
    wanted = pd.Index([700, 2, 350, 701])
    found = read_features(str(blocks), wanted, threads=2)
    pd.testing.assert_frame_equal(found, read_features(str(blocks), wanted))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("place", "reason"),
    [(1_000_000, "cannot be unpacked"), (-200, "cannot be unpacked"), (None, "CRC-32 is wrong")],
)
def test_read_features_reports_damaged_file(
    blocks: Path, tmp_path: Path, threads: int, place: int | None, reason: str
) -> None:
    path = tmp_path / "fma_metadata.zip"
    content = bytearray(blocks.read_bytes())
    with zipfile.ZipFile(blocks) as archive:
        info = archive.getinfo(NAME)
    if place is None:  # the checksum in the directory at the end is wrong
        content[content.index(b"PK\1\2") + 16] ^= 1
    else:
        start = info.header_offset + 30 + len(NAME) + 20 if place > 0 else info.compress_size
        content[start + place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(SongNetError, match=rf"{NAME} is damaged: .*{reason}") as error:
        read_features(str(path), pd.Index([2, 700]), threads=threads)
    assert "\n" not in str(error.value)


def test_read_features_reports_missing_tracks(published: tuple[str, pd.DataFrame]) -> None:
    with pytest.raises(SongNetError, match=r"lacks 1 of the tracks \(first: 999\)"):
        read_features(published[0], pd.Index([2, 999]))
    with pytest.raises(SongNetError, match=r"lacks 2 of the tracks \(first: 999\)"):
        read_features(published[0], pd.Index([999, 998]))


def with_cell(line: str, value: str) -> str:
    """Build a row with a given second feature, chroma_cens.kurtosis.02."""
    track_id, first, _, rest = line.split(",", 3)
    return f"{track_id},{first},{value},{rest}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [], "No columns to parse"),
        (lambda rows: rows[:2], "Passed header"),
        (lambda rows: ["track_id,tempo\n"] * 4, "its header has no mfcc"),
        (lambda rows: ["\udcff", *rows[1:]], "'utf-8' codec can't decode"),
        (
            lambda rows: [*rows[:4], with_cell(rows[4], "loud"), *rows[5:]],
            "In CSV column #2: .* 'loud'",
        ),
        (
            lambda rows: [*rows[:4], f"{rows[4][:-1]},1\n", *rows[5:]],
            ".*Expected 519 columns, got 520: 2,",
        ),
        (
            lambda rows: [*rows[:5], with_cell(rows[5], ""), *rows[6:]],
            r"track 3 has no chroma_cens\.kurtosis\.02$",
        ),
        (
            lambda rows: [*rows[:5], with_cell(rows[5], "inf"), *rows[6:]],
            r"track 3 has no chroma_cens\.kurtosis\.02$",
        ),
        (lambda rows: [*rows, rows[5]], "has the track 3 twice"),
    ],
)
def test_read_features_reports_malformed_table(
    published: tuple[str, pd.DataFrame],
    change: Callable[[list[str]], list[str]],
    message: str,
) -> None:
    path, table = published
    rows = table[:20].to_csv().splitlines(keepends=True)
    content = "".join(change(rows)).encode(errors="surrogateescape")
    write_archive(Path(path), {NAME: content})
    with pytest.raises(
        SongNetError, match=rf"^{path}: {NAME} (is not a table of features: )?{message}"
    ) as error:
        read_features(path, pd.Index([3, 2]))
    assert "\n" not in str(error.value)


def test_read_features_of_archive_without_features(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "fma_metadata.zip", {"fma_metadata/tracks.csv": ""})
    with pytest.raises(SongNetError, match=r"has no fma_metadata/features\.csv"):
        read_features(str(path), pd.Index([2]))


def test_read_features_memory_does_not_grow_with_file(tmp_path: Path) -> None:
    """A small version of the benchmark: two files of 50 and 100 MB, of which 30 rows are read."""
    sizes, peaks = [], []
    for tracks in (5_500, 11_000):
        path = tmp_path / f"{tracks}.zip"
        make_metadata(path, tracks, zipfile.ZIP_STORED)
        with zipfile.ZipFile(path) as archive:
            sizes.append(archive.getinfo(NAME).file_size / 1e6)
        peaks.append(measured(read_features, str(path), pd.RangeIndex(2, 32))[2])
    # As long as FMA's rows.
    assert sizes[1] == pytest.approx(951 * 11_000 / 106_574, rel=0.05)
    assert peaks[1] - peaks[0] < 0.3 * (sizes[1] - sizes[0])
