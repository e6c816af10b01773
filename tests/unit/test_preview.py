"""What SongNet knows about the user's own music before any job runs."""

import os
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from songnet.errors import SongNetError
from songnet.pipeline import preview as module
from songnet.pipeline.preview import Preview, preview
from tests.configured import DATASETS, checked
from tests.conftest import GENRES


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set up a working directory with three genres, three artists and 18 songs in music/."""
    monkeypatch.chdir(tmp_path)
    for genre in ("Rock", "Folk", "Jazz"):
        for artist in ("A", "B", "C"):
            for song in ("1.mp3", "2"):
                path = tmp_path / "music" / genre / f"{genre} {artist}" / song
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    return tmp_path


def look(is_main: bool = True, **config: Any) -> Preview:
    settings = checked(**config)
    return preview(settings, DATASETS[settings["dataset"]], "results/folder", is_main)


def test_preview_counts_the_songs_of_a_folder(here: Path) -> None:
    seen = look(dataset="folder", audio="music")
    assert seen == Preview(18, {"official": "no track has a split of its own"}, True, True)
    assert look(dataset="folder", audio="music", genres=["Rock", "Jazz"]).tracks == 12
    with pytest.raises(SongNetError, match=r"'Pop' has no tracks \(others have: Folk,"):
        look(dataset="folder", audio="music", genres=["Rock", "Pop"])


def test_preview_reports_what_protocols_lack(here: Path) -> None:
    for song in "12":  # with too few tracks of a genre
        (here / "music/Blues").mkdir(exist_ok=True)
        (here / "music/Blues" / song).touch()
    assert look(dataset="folder", audio="music").tracks == 18
    with pytest.raises(SongNetError, match="'Blues' has 2 usable tracks"):
        look(dataset="folder", audio="music", genres=["Rock", "Blues"])
    flat = here / "flat"
    for genre in ("Rock", "Folk"):
        (flat / genre).mkdir(parents=True)
        for song in "123":
            (flat / genre / song).touch()
    seen = look(dataset="folder", audio="flat")
    assert seen.problems["artist"] == "no track names an artist" and not seen.has_artists
    rows = [(f"{g}/{i}", g, f"{g}{i}", s) for g in ("Rock", "Folk") for i, s in
            [(1, "train"), (2, "validation" if g == "Rock" else "test"), (3, "")]]  # fmt: skip
    columns = ["file_name", "genre", "artist", "split"]
    pd.DataFrame(rows, columns=columns).to_csv(flat / "metadata.csv", index=False)
    seen = look(dataset="folder", audio="flat")
    assert seen.problems == {"official": "no track of 'Folk' is in the validation subset"}
    text = (flat / "metadata.csv").read_text().replace("test", "tset")
    (flat / "metadata.csv").write_text(text)
    assert not look(dataset="folder", audio="flat", protocols=["random", "artist"]).problems
    with pytest.raises(SongNetError, match=r"Folk/2 has the split 'tset' \(allowed: training, tr"):
        look(dataset="folder", audio="flat")


def test_preview_is_cached_until_files_change(here: Path, monkeypatch: Any) -> None:
    first = look(dataset="folder", audio="music")
    monkeypatch.setattr(module, "_inspect", lambda *_: Preview(7))
    assert look(dataset="folder", audio="music") == first
    (here / "music/Rock/Rock A/3").touch()
    assert look(dataset="folder", audio="music").tracks == 7
    # A job on a cluster uses the result of the Snakemake that started it.
    (here / "music/Rock/Rock A/4").touch()
    monkeypatch.setattr(module, "_inspect", lambda *_: Preview(8))
    assert look(is_main=False, dataset="folder", audio="music").tracks == 7
    Path("results/folder/preview.json").write_text("{")
    assert look(dataset="folder", audio="music").tracks == 8


def test_preview_of_archives(archives: Path, here: Path) -> None:
    seen = look(dataset="local", archives=str(archives))
    assert seen == Preview(41, {}, True, True)
    assert look(dataset="fma_small") == Preview()  # only known after the download
    seen = look(dataset="fma_small", archives=str(archives), genres=GENRES)
    assert seen.tracks == 41 and not seen.is_listed
    vectors = here / "vectors.csv"
    vectors.write_text("track_id,x\n2,0.5\n")
    with pytest.raises(SongNetError, match=r"vectors\.csv lacks 4\d of the 41 tracks \(first: "):
        look(dataset="local", archives=str(archives), tables={"vggish": str(vectors)})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"dataset": "local", "archives": "music"}, "use dataset=folder audio=music"),
        ({"dataset": "folder", "audio": "packed"}, "use dataset=local archives=packed"),
        ({"dataset": "folder", "audio": "a.zip"}, "is an archive; unpack it and give the folder"),
        (
            {"dataset": "folder", "audio": "music/Rock/Rock A/1.mp3"},
            "is a single file; give its folder",
        ),
        ({"dataset": "folder", "audio": "music", "layout": "{x}"}, "unknown field {x}"),
        (
            {"dataset": "folder", "audio": "music", "layout": "{genre}/*", "labels": "tags"},
            "layout: not used with labels=tags",
        ),
        (
            {"dataset": "folder", "audio": "music", "labels": "manifest"},
            "music has no metadata.csv",
        ),
        ({"dataset": "local", "archives": "a.zip"}, "needs the folder with fma_metadata.zip and"),
        (
            {"dataset": "local_mels", "archives": "packed", "features": "computed"},
            "archives: packed/mels-*.npz: no such file",
        ),
    ],
)
def test_preview_suggests_setting_for_wrong_path(
    here: Path, config: dict[str, Any], message: str
) -> None:
    (here / "packed").mkdir()
    for name in ("fma_metadata.zip", "fma_small.zip"):
        zipfile.ZipFile(here / "packed" / name, "w").close()
    zipfile.ZipFile(here / "a.zip", "w").close()
    with pytest.raises(SongNetError) as error:
        look(**config)
    assert message in str(error.value) and str(error.value).startswith("config key ")


def test_check_takes_archive_for_its_folder(archives: Path) -> None:
    config = checked(dataset="local", archives=str(archives / "fma_small.zip"))
    assert config["archives"] == str(archives)


def test_check_expands_home_directory(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HOME", str(here))
    assert checked(dataset="folder", audio="~/music")["audio"] == str(here / "music")
