"""The benchmarks measure what they say, on small archives."""

import bz2
import zipfile
from pathlib import Path

import numpy as np
import pytest
from benchmarks import extraction
from benchmarks.measure import Section, in_turn, report, spread
from studies.bzip2 import join, write_packed


def test_ways_take_turns_and_the_first_round_does_not_count() -> None:
    now = 0.0
    calls = []

    def way(name: str, seconds: float) -> None:
        nonlocal now
        calls.append(name)
        now += seconds * (10 if len(calls) <= 2 else 1)

    times = in_turn({"a": lambda: way("a", 1), "b": lambda: way("b", 2)}, 3, lambda: now)
    assert calls == ["a", "b"] * 4
    assert times["a"].tolist() == [1, 1, 1] and times["b"].tolist() == [2, 2, 2]


def test_spread_is_median_and_range() -> None:
    assert spread([3.0, 1.0, 2.0]) == "2.00 (1.00 – 3.00)"


def test_the_report_has_all_sections_and_a_figure(tmp_path: Path) -> None:
    ratio = np.array([2.0, 3.0, 4.0])
    rows = [{"way": "plain", "× SongNet": spread(ratio)}]
    report([Section("Mel", "Ten clips.", rows, {"mel: plain": ratio})], "A machine.", 3, tmp_path)
    page = (tmp_path / "results.md").read_text()
    assert "## Mel" in page and "| plain | 3.00 (2.00 – 4.00) |" in page and "A machine." in page
    assert "mel: plain" in (tmp_path / "results.svg").read_text()


@pytest.mark.parametrize("size", [0, 500, 900_000, 1_900_000])
def test_members_made_of_packed_blocks_are_zips_like_others(size: int, tmp_path: Path) -> None:
    content, title = np.random.default_rng(size).bytes(size), b"a title"
    packed = join(bz2.compress(content), bz2.compress(title))
    assert bz2.decompress(packed) == content + title
    path = tmp_path / "a.zip"
    for name in ("a", "b"):
        with zipfile.ZipFile(path, "a", zipfile.ZIP_BZIP2) as archive:
            write_packed(archive, name, content + title, packed)
            archive.writestr(f"{name}.txt", title)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("b") == content + title
        assert archive.namelist() == ["a", "a.txt", "b", "b.txt"]


@pytest.mark.slow
def test_extraction_agrees_with_librosa_and_costs_less(archives: Path) -> None:
    mel, features, scaling = extraction.measure(archives / "fma_small.zip", repeats=1, count=2)
    assert mel.rows[2]["way"] == "SongNet" and mel.rows[2]["× SongNet"].startswith("1.00")
    assert mel.ratios["mel: librosa"][0] > 1
    # Measured: 5. Half as fast would be a defect, however busy the machine.
    assert features.ratios["518 features: librosa"][0] > 2
    assert [row["stage"] for row in scaling.rows] == ["mel-spectrograms", "518 features"]
    assert all(float(row["peak memory of a job, MB"]) < 700 for row in scaling.rows)
