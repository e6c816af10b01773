"""Pretrained encoders and tables of features in a run of the workflow."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from songnet.data.tracks import read_tracks
from songnet.features.audio import decode
from songnet.models.base import load, save
from songnet.models.causal_crnn import CausalCRNN
from songnet.realtime.classify import classify_file
from songnet.realtime.stream import Stream, load_model
from tests.conftest import Snakemake, config, planned_jobs, small
from tests.pretrained import tagger

FUSION = """
musicnn_fusion: {like: fusion, title: "musicnn + table", members: [musicnn, vggish_head]}
"""


def test_heads_on_encoder_and_on_table(
    project: Path, tmp_path: Path, archives: Path, snakemake: Snakemake, clips: Path
) -> None:
    small(project)
    models = project / "config/models.yaml"
    text = models.read_text().replace("teacher_mixtures: 4000", "teacher_mixtures: 12")
    models.write_text(text + FUSION)
    weights = project / "resources/encoders/musicnn.safetensors"
    save(tagger(), ["Jazz", "Rock"], {"model": "musicnn", "pretrained": "x"}, weights)
    tracks = read_tracks(str(archives / "fma_metadata.zip"))
    skill = 3 * pd.get_dummies(tracks["genre"]).to_numpy(np.float32)
    noise = np.random.default_rng(0).normal(size=(len(tracks), 3))
    table = pd.DataFrame(skill + noise, tracks.index, columns=pd.Index(["a", "b", "c"]))
    path = tmp_path / "vggish.parquet"
    missing = int(table.index[20])
    table.drop(index=missing).rename_axis("track_id").to_parquet(path)
    arguments = config(
        archives,
        models="[svm_vggish,musicnn,vggish_head,musicnn_fusion,student]",
        seeds="[1]",
        protocols="[artist]",
        clips="{clip_seconds: 6}",
        tables=f"{{vggish: {{path: {path}, note: made for a test}}}}",
    )
    run = snakemake(project, *arguments)
    assert run.returncode == 0, run.stdout[-5000:]
    results = project / "results/local"
    embeddings = pd.read_parquet(results / "features/musicnn.parquet")
    assert embeddings.shape == (36, 753) and np.isfinite(embeddings).all(axis=None)
    assert json.loads((results / "features/vggish.json").read_text())["missing"] == [missing]
    chosen = json.loads((results / "runs/artist/musicnn/1/params.json").read_text())
    assert chosen["chosen"]["head"] in chosen["heads"] and chosen["pretrained"]
    page = (results / "report/results.md").read_text()
    for text in ("† musicnn + head: Pretrained on ", "made for a test", "lacks 1 track"):
        assert text in page
    mixed = pd.concat(map(pd.read_parquet, results.glob("mixtures/musicnn-*/*.parquet")))
    assert mixed.shape == (12, 2 + 753) and np.isfinite(mixed).all(axis=None)
    # What was taught needs no teacher any more: it is an ordinary network, with pages.
    student = load(results / "runs/artist/student/1/model.safetensors")
    assert isinstance(student.network, CausalCRNN)
    assert "† causal C-RNN, distilled from musicnn: Distilled from musicnn, pretrained on " in page
    assert "causal C-RNN, distilled from musicnn" in (results / "report/filters.html").read_text()
    # The one that is served is the better of those that stream.
    best = load_model(results / "best.safetensors")
    table = pd.read_csv(results / "report/results.csv", index_col="model")["validation_accuracy"]
    assert table[best.facts["model"]] == table[["musicnn", "student"]].max()
    served = "<code>songnet serve</code> uses it" in (results / "report/analysis.html").read_text()
    assert served == (best.facts["model"] == "student")
    clip = sorted(clips.glob("*.mp3"))[0]
    assert classify_file(best, str(clip)).prediction is not None
    assert_stream_agrees(results / "runs/artist/musicnn/1", clips, seconds=6)
    # MLflow has no model of a head on a table, nor of what is fused with one.
    client = mlflow.MlflowClient(f"sqlite:///{project}/mlflow.db")
    experiment = client.get_experiment_by_name("local")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    with_model = {r.info.run_name for r in runs if "songnet.model_id" in r.data.tags}
    assert with_model == {f"{m} · artist · 1" for m in ("svm_vggish", "musicnn", "student")}
    head = load(results / "runs/artist/vggish_head/1/model.safetensors")
    assert head.network.config.encoder == {"kind": "table", "size": 3}
    again = snakemake(project, "-n", *arguments)
    assert "Nothing to be done" in again.stdout, again.stdout[-3000:]
    # Another note reruns no training.
    arguments[-1] = arguments[-1].replace("made for a test", "something else")
    assert not {job for job in planned_jobs(snakemake(project, "-n", *arguments).stdout)
                if job.startswith(("train", "evaluate", "feature"))}  # fmt: skip


def assert_stream_agrees(run: Path, clips: Path, seconds: int) -> None:
    """Compare a run's predictions of its test tracks with those of streams of the same audio."""
    model = load_model(run / "model.safetensors")
    predictions = pd.read_parquet(run / "predictions.parquet").query("split == 'test'")
    of_table, of_streams = [], []
    for track in predictions.to_dict("records"):
        for path in clips.glob(f"*-{track['track_id']}.mp3"):
            clip = decode(path.open("rb"))
            stream = Stream(model, clip.sample_rate)
            steps = stream.push(clip.samples[: seconds * clip.sample_rate]) + stream.finish()
            of_streams.append(steps[-1].clip_probabilities)
            of_table.append([track[genre] for genre in model.genres])
    assert len(of_table) > 2
    np.testing.assert_allclose(of_streams, of_table, atol=1e-3)


def test_encoder_without_audio_is_refused(
    project: Path, archives: Path, snakemake: Snakemake
) -> None:
    run = snakemake(project, "-n", "--config", "dataset=poster", "models=[musicnn]")
    assert run.returncode and "'musicnn' needs audio" in run.stdout
