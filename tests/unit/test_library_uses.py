"""Uses of a library table: report page, playlists, similar songs."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from songnet.errors import SongNetError
from songnet.library.columns import Row, set_name
from songnet.library.playlists import file_name, write_playlists
from songnet.library.report import write_library_page
from songnet.library.similar import similar
from songnet.library.summary import agreement, largest, summarise
from songnet.library.table_files import read_rows, write_rows
from songnet.realtime.model import load_model
from tests.unit.test_library import GENRES, network, song, tag

COLUMNS = ["Hip-Hop", "Old-Time / Historic", "Rock"]


def row(path: str, genre: str | None, probability: float = 0.9, **changed: Any) -> Row:
    others = (1 - probability) / 2
    shares = {f"p_{name}": probability if name == genre else others for name in COLUMNS}
    return {
        "path": path, "size": 1, "mtime": 1.0, "duration": 90.0, "artist": None, "title": None,
        "tag_genre": None, "error": None if genre else "empty file", "model": "m-00000000-30s",
        "genre": genre, "probability": probability if genre else None, "unsure": not genre,
    } | shares | changed  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Nine files in three folders."""
    rows = [
        row("/music/A/1.mp3", "Rock", tag_genre="hip hop", artist="X", title="<b>One</b>"),
        row("/music/A/2.mp3", "Rock", tag_genre="Rock", artist="X"),
        row("/music/A/x/3.mp3", "Hip-Hop", 0.6, tag_genre="Rock", artist="Y"),
        row("/music/A/x/4.mp3", "Hip-Hop", 0.4, tag_genre="Rock", unsure=True, artist="Y"),
        row("/music/B/#5.mp3", "Old-Time / Historic", tag_genre="Metal"),
        row("/music/B/6\n.mp3", "Rock"),
        row("/music/B/7.mp3", None),
        row("/music/B/8.mp3", None, error="too short: 0.12 s, a step is 0.37 s"),
        row("/music/c.mp3", "Rock", 0.95),
    ]
    write_rows(rows, list(rows[0]), tmp_path / "library.parquet")
    return tmp_path / "library.parquet"


def test_summarise_counts_folders_artists_and_tags(table: Path) -> None:
    found = summarise(table, 0.5)
    assert found.root == "/music" and found.seconds == 9 * 90
    assert dict(found.total.genres) == {"Rock": 4, "Hip-Hop": 1, "Old-Time / Historic": 1}
    assert (found.total.files, found.total.unsure, found.total.errors) == (9, 1, 2)
    sizes = {name: group.files for name, group in largest(found.folders)}
    assert sizes == {"A": 4, "B": 4, ".": 1}
    assert found.artists["X"].shares == {"Rock": 1.0}
    assert [item["path"] for item in found.unsure.items()] == ["/music/A/x/4.mp3"]
    # Tags that name another genre of the model, in any spelling; the most confident first.
    assert [item["path"] for item in found.audit.items()] == ["/music/A/1.mp3", "/music/A/x/3.mp3"]
    assert [item["path"] for item in summarise(table, 0.8).audit.items()] == ["/music/A/1.mp3"]
    assert agreement(found) == [
        {"tag": "Hip-Hop", "files": 1, "agreeing": 0, "others": {"Rock": 1}},
        {"tag": "Rock", "files": 2, "agreeing": 1, "others": {"Hip-Hop": 1}},
    ]
    assert found.errors == {"empty file": 1, "too short: … s, a step is … s": 1}


def test_summarise_limits_lists(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(f"/m/{i:04d}.mp3", "Rock", i / 4000, unsure=True) for i in range(1000)]
    write_rows(rows[::-1], list(rows[0]), table)
    found = summarise(table, 0.5)
    names = [Path(item["path"]).stem for item in found.unsure.items()]
    assert names == [f"{i:04d}" for i in range(200)] and found.unsure.count == 1000


def test_write_library_page_links_no_other_site(table: Path, tmp_path: Path) -> None:
    page = tmp_path / "library.html"
    write_library_page(table, page, 0.5)
    text = page.read_text()
    assert "9 files, mostly Rock" in text and "&lt;b&gt;One&lt;/b&gt;" in text
    assert 'src="file:///music/A/1.mp3"' in text
    assert not re.search(r'(src|href)="(?!file:///|#)', text)
    for heading in ("Genres", "Folders", "Artists", "Unsure", "Audit", "Without a genre"):
        assert f"<h2>{heading}</h2>" in text
    assert "Metal" in text and "50\u00a0%" in text


def test_write_playlists_use_relative_paths(table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    counts = write_playlists(table, folder, 0.5)
    names = [Path(path).name for path in counts]
    assert names == ["Hip-Hop.m3u8", "Old-Time - Historic.m3u8", "Rock.m3u8"]
    lines = (folder / "Rock.m3u8").read_text().splitlines()
    assert lines[:2] == ["#EXTM3U", "#EXTINF:90,X - <b>One</b>"]
    for line in lines[2::2]:
        assert not line.startswith("#") and (folder / line).resolve().is_relative_to("/music")
    assert list(counts.values()) == [1, 1, 3]  # an entry cannot contain a line break
    assert file_name("a/b: c?") == "a - b - c" and file_name("..") == "_"
    assert list(write_playlists(table, tmp_path / "few", 0.93).values()) == [1]


def test_playlists_are_emptied_and_shared(tmp_path: Path) -> None:
    """Playlists stand in a linked folder; two genres have the same file name."""
    table, real = tmp_path / "t.parquet", tmp_path / "deep/er"
    real.mkdir(parents=True)
    (tmp_path / "lists").symlink_to(real)
    music = [row(str(tmp_path / f"{genre[:3]}.mp3"), genre) for genre in ("Pop/Rock", "Pop:Rock")]
    shares = {"p_Pop/Rock": 0.5, "p_Pop:Rock": 0.5, "p_Folk": 0.0}
    write_rows([one | shares for one in music], [*row("", None), *shares], table)
    (real / "Folk.m3u8").write_text("#EXTM3U\nold.mp3\n")
    assert list(write_playlists(table, tmp_path / "lists", 0.5).values()) == [2]
    assert (real / "Folk.m3u8").read_text() == "#EXTM3U\n"
    lines = (real / "Pop - Rock.m3u8").read_text().splitlines()
    assert [(real / line).resolve() for line in lines[2::2]] == 2 * [tmp_path / "Pop.mp3"]
    write_playlists(table, tmp_path / "lists", 0.95)
    assert (real / "Pop - Rock.m3u8").read_text() == "#EXTM3U\n"


def test_report_counts_files_of_another_model_apart(table: Path, tmp_path: Path) -> None:
    rows = list(read_rows(table))
    for name in ("model", "genre", "probability", "unsure"):
        rows[0][name] = None
    write_rows(rows, list(rows[0]), table)
    summary = summarise(table, 0.8)
    assert (summary.others, summary.total.files) == (1, len(rows) - 1)
    write_library_page(table, tmp_path / "library.html", 0.8)
    assert "1 file of other folders, by another model" in (tmp_path / "library.html").read_text()


def test_table_edited_in_a_spreadsheet_is_read(table: Path, tmp_path: Path) -> None:
    rows = list(read_rows(table))
    edited = tmp_path / "t.csv"
    write_rows(rows, list(rows[0]), edited)
    edited.write_text(edited.read_text().replace("true", "TRUE").replace("false", "FALSE"))
    assert [row["unsure"] for row in read_rows(edited)] == [row["unsure"] for row in rows]


def test_similar_lists_the_nearest_songs(tmp_path: Path) -> None:
    model = network(tmp_path / "m.safetensors", 1)
    for place in range(4):
        song(tmp_path / f"music/{place}.wav", place)
    shutil.copy(tmp_path / "music/0.wav", tmp_path / "music/copy.wav")
    shutil.copy(tmp_path / "music/2.wav", tmp_path / "outside.wav")
    sf.write(tmp_path / "music/silent.wav", np.zeros(22_050), 22_050)
    table = tmp_path / "library.parquet"
    tag(tmp_path / "music", table, model)
    found = similar(str(tmp_path / "music/0.wav"), table, None, 10)
    assert Path(found[0].path).name == "copy.wav" and len(found) == 4
    assert found[0].similarity == pytest.approx(1, abs=1e-5) and found[0].genre in GENRES
    assert [item.similarity for item in found] == sorted(
        (item.similarity for item in found), reverse=True
    )
    nearest = similar(str(tmp_path / "outside.wav"), table, model, 1)  # which has to be classified
    assert Path(nearest[0].path).name == "2.wav" and nearest[0].similarity > 0.99999
    other = network(tmp_path / "other.safetensors", 2)
    with pytest.raises(SongNetError, match=r"its embeddings are of the model causal_crnn-"):
        similar(str(tmp_path / "outside.wav"), table, other, 1)
    name = set_name("causal_crnn", load_model(model).digest, 30.0)
    assert name in table.read_bytes().decode("latin-1")
    run = subprocess.run(
        [sys.executable, "-m", "songnet.cli", "similar", tmp_path / "music/0.wav", "--library",
         table, "-n", "2", "--jsonl"], capture_output=True, text=True,
    )  # fmt: skip
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["path"] for line in lines] == [item.path for item in found[:2]]
