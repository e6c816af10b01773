"""The whole workflow on a folder of songs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songnet.data.tracks import read_tracks
from tests.conftest import Snakemake, planned_jobs, small


@pytest.fixture
def music(archives: Path, clips: Path, tmp_path: Path) -> Path:
    """A library: genre/artist/album/song, with what lies beside songs."""
    artists = read_tracks(str(archives / "fma_metadata.zip"))["artist_id"]
    folder = tmp_path / "music"
    for clip in clips.glob("*.mp3"):
        genre, _, track_id = clip.stem.partition("-")
        genre = {"Electronic": "=R&B #1", "Rock": "a|b {c}"}.get(genre, genre)
        album = folder / genre / f"Artist {artists[int(track_id)]}" / "Album"
        album.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, album / f"{track_id} Überraschung")
    (folder / "Folk/cover.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / "Folk/all.m3u").write_text("#EXTM3U\n")
    (folder / "Folk/web.mp3").write_text("<html>")
    (folder / "Folk/.hidden.mp3").write_text("hidden")
    return folder


def write_manifest(music: Path) -> Path:
    """Mark a third of the songs of each genre for no subset; write features beside them."""
    rows = []
    for genre in sorted(path.name for path in music.iterdir() if path.is_dir()):
        for i, song in enumerate(sorted((music / genre).glob("*/*/*"))):
            split = ["train", "validation", ""][i % 3]
            rows.append((str(song.relative_to(music)), genre, song.parts[-3], split))
    table = pd.DataFrame(rows, columns=["file_name", "genre", "artist", "split"])
    table.to_csv(music / "metadata.csv", index=False)
    vectors = np.random.default_rng(0).normal(size=(len(table), 6))
    features = table[["file_name"]].join(pd.DataFrame(vectors).add_prefix("x"))
    features.to_parquet(music.parent / "vectors.parquet")
    return music.parent / "vectors.parquet"


def test_folder_runs_to_report(project: Path, music: Path, snakemake: Snakemake) -> None:
    results = small(project) / "results/folder"
    config = ["--config", "dataset=folder", "audio=../music", "seeds=1"]
    settings = [*config, "models=[knn,causal_crnn]", "protocols=[artist,official]"]
    run = snakemake(project, *settings)
    assert run.returncode == 0, run.stdout[-5000:]
    text = run.stdout[run.stdout.index("SongNet: done in ") :]
    assert len(list((results / "mel").glob("*.npy"))) == 2
    assert "Skipped the protocol official: no track has a split of its own." in text
    for line in ("4 files or tracks", "1 × not audio, by its name (*.jpg)", "1 × not decodable"):
        assert line in text
    tracks = pd.read_parquet(results / "tracks.parquet")
    assert set(tracks["genre"]) == {"Folk", "=R&B #1", "a|b {c}"}
    assert tracks["artist_id"].nunique() == 18 and tracks["title"].str.endswith("rraschung").all()
    quarantine = pd.read_csv(results / "quarantine.csv", index_col="file_name")
    others = {"Folk/cover.jpg", "Folk/all.m3u", "Folk/web.mp3"}
    (twin,) = set(quarantine.index) - others  # the demo has one
    assert quarantine["reason"][twin].startswith("byte-identical to ")
    assert "\\|b {c}" in (results / "report/results.md").read_text()
    assert "'=R&B #1" in (results / "report/genres.csv").read_text()
    assert "own music (music)" in (results / "report/index.html").read_text()
    assert len(json.loads((results / "examples/examples.json").read_text())) == 3
    again = snakemake(project, "-n", *settings)
    assert "Nothing to be done" in again.stdout, again.stdout[-3000:]

    # The manifest divides the tracks, and the user's own table has their features.
    config += [f"tables={{vggish: {write_manifest(music)}}}", "models=svm_vggish"]
    assert "fma_features_shard" not in planned_jobs(snakemake(project, "-n", *config).stdout)
    run = snakemake(project, *config, "protocols=official", "--", "results_table")
    assert run.returncode == 0, run.stdout[-5000:]
    split = pd.read_parquet(results / "splits/official.parquet")
    assert set(split["split"]) == {"train", "validation"}
    assert len(split) == pytest.approx(2 / 3 * len(tracks), abs=3)
    assert (
        "the user's own features (vectors.parquet)" in (results / "report/results.md").read_text()
    )


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("one genre", "all songs are of one genre, 'Folk', and a classifier needs two"),
        ("split", "has the split 'tset' (allowed: training, train, "),
        ("protocol", "config key protocols: official: no track has a split of its own; use"),
        ("tables", "vectors.parquet lacks 12 of the "),
    ],
)
def test_folder_problems_are_reported_before_any_job(
    project: Path, music: Path, snakemake: Snakemake, case: str, message: str
) -> None:
    config = ["--config", "dataset=folder", f"audio={music}"]
    if case == "one genre":
        for genre in ("=R&B #1", "a|b {c}"):
            shutil.rmtree(music / genre)
    if case == "split":
        write_manifest(music)
        text = (music / "metadata.csv").read_text().replace("validation", "tset", 1)
        (music / "metadata.csv").write_text(text)
    if case == "protocol":
        config += ["protocols=official"]
    if case == "tables":
        path = write_manifest(music)
        pd.read_parquet(path).iloc[12:].to_parquet(path)
        config += [f"tables={{vggish: {path}}}"]
    run = snakemake(project, *config)
    assert run.returncode != 0 and "Traceback" not in run.stdout
    (line,) = [line for line in run.stdout.splitlines() if "error:" in line]
    assert line.startswith("songnet: error: ") and message in line
    assert not (project / "results/folder/mel").exists()
