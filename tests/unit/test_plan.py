"""The plan of a configuration: models, features, number of jobs, notes."""

import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from songnet.errors import SongNetError
from songnet.pipeline.configuration import check_encoders
from songnet.pipeline.notes import dataset_note, described
from songnet.pipeline.plan import (
    archive_paths,
    features_source,
    selected_models,
    shard_count,
    usable_protocols,
)
from songnet.pipeline.preview import Preview
from tests.configured import DATASETS, ENCODERS, MODELS, checked


@pytest.mark.parametrize(
    ("dataset", "models", "message"),
    [
        ("local_mels", ["svm_518"], "'svm_518' needs the 518 features"),
        ("local_mels", ["fusion_518"], "'fusion_518' needs the 518 features"),
        ("local_mels", ["crnn_metadata"], "'crnn_metadata' needs duration, bit rate"),
        ("poster", ["crnn"], "'crnn' needs clips"),
        ("demo", ["causal_crnn", "fusion"], "'fusion' also needs 'svm' in the list"),
    ],
)
def test_selected_models_refuse_missing_features(
    dataset: str, models: list[str], message: str
) -> None:
    config = checked()
    with pytest.raises(SongNetError, match=f"config key models: {message}"):
        selected_models(config | {"models": models}, DATASETS[dataset], MODELS, ENCODERS)
    # A run without named models leaves them out.
    selected = selected_models(config, DATASETS[dataset], MODELS, ENCODERS)
    assert (models[-1] in selected) == (dataset == "demo")
    assert set(models) <= set(selected_models(config, DATASETS["fma_small"], MODELS, ENCODERS))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"file": "/no.onnx"}, r"mine\.file: /no\.onnx: no such file"),
        ({"patch_frames": 626}, r"mine\.patch_frames: a patch takes 10\.0 s, but .* be 5 s long"),
        ({}, ""),
    ],
)
def test_encoder_of_a_selected_model_is_checked(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    file = tmp_path / "mine.onnx"
    file.touch()
    entry = {"title": "mine", "kind": "onnx", "file": str(file), "patch_frames": 128}
    entry |= {"pretrained": "music", "spectrogram": {"n_mels": 64}} | changed
    encoders = ENCODERS | check_encoders({"mine": entry})
    assert encoders["mine"]["spectrogram"]["kind"] == "log_mel"
    models = MODELS | {"m": MODELS["musicnn"] | {"encoder": "mine"}}
    for names in (["svm"], ["svm", "m"]):
        refused = message and "m" in names
        with pytest.raises(SongNetError, match=message) if refused else nullcontext():
            selected_models(checked() | {"models": names}, DATASETS["demo"], models, encoders)


def test_mixtures_need_an_encoder_as_teacher() -> None:
    models = MODELS | {"s": MODELS["student"] | {"teacher": "vggish"}}
    with pytest.raises(SongNetError, match=r"models.yaml: s.teacher_mixtures: the teacher must be"):
        selected_models(checked(), DATASETS["demo"], models, ENCODERS)


def test_selected_models_leave_on_request_models_out(tmp_path: Path) -> None:
    models = {"a": {"family": "crnn"}, "b": {"family": "crnn", "on_request": True}}
    dataset = DATASETS["demo"]
    for named, selected in ((None, ["a"]), (["b"], ["b"])):
        config = checked() | {"models": named, "reference": None}
        assert list(selected_models(config, dataset, models, {})) == selected
    # So are fusions of them.
    models["f"] = {"family": "fusion", "members": ["a", "b"]}
    assert list(selected_models(checked(), dataset, models, {})) == ["a"]


def test_sample_has_fewer_shards_and_own_note() -> None:
    small, large = DATASETS["fma_small"], DATASETS["fma_large"]
    assert shard_count(checked(dataset="fma_small"), small) == 64
    assert shard_count(checked(dataset="fma_small", tracks_per_genre=50), small) == 16
    assert shard_count(checked(dataset="fma_small", tracks_per_genre=900), small) == 64
    assert (
        shard_count(checked(dataset="fma_small", tracks_per_genre=3, genres=["Pop", "Rock"]), small)
        == 1
    )
    assert shard_count(checked(dataset="fma_large", tracks_per_genre=100), large) == 64
    # Its features are not FMA's published ones.
    note = dataset_note(
        checked(dataset="fma_small", tracks_per_genre=50), small, "computed", Preview()
    )
    assert "untrimmed" not in note
    assert "50 tracks" in note and "were computed on the 30 s clips" in note
    # The user's own archives may be sampled, too.
    own = {"tracks_per_genre": 5, "archives": "DIR"}
    note = dataset_note(checked() | own, small, "computed", Preview())
    assert note.startswith("A sample of 5 tracks")


def test_shard_count_follows_the_tracks_where_they_are_known() -> None:
    config, local = checked(), DATASETS["local"]
    assert [shard_count(config, local, tracks) for tracks in (9, 40, 315, 5000, 20_000)] == [
        1, 2, 13, 16, 25,
    ]  # fmt: skip
    assert shard_count(config, local) == 16


@pytest.mark.parametrize("name", ["fma_small", "fma_medium", "fma_large", "poster"])
def test_dataset_note_of_published_features_says_untrimmed(name: str) -> None:
    config, dataset = checked(dataset=name), DATASETS[name]
    note = dataset_note(config, dataset, features_source(config, dataset), Preview())
    assert "untrimmed tracks, not on the 30 s clips" in note
    assert dataset["note"] in note
    assert "untrimmed" not in dataset_note(config, dataset, "computed", Preview())
    # FMA's hints would be wrong for the user's own archives.
    entry = described(config, dataset, "published", Preview(9, is_listed=False))
    assert "untrimmed" not in entry["note"] and "SongNet did not compute them" in entry["note"]
    assert entry["title"] == f"{dataset['title']} (own archives)" and entry["genres"] is None


def test_dataset_note_states_unmeasured_leak() -> None:
    config, dataset = checked(), DATASETS["local"]
    seen = Preview(9, {"artist": "no track names an artist"}, has_artists=False)
    note = dataset_note(config, dataset, "computed", seen)
    assert note == "No track has an artist, so an artist leak cannot be ruled out."
    seen = Preview(9, {"artist": "'Rock' has too few artists: 2, but 3 are needed"})
    assert "the artist leak is not measured: 'Rock' has too few artists: 2" in dataset_note(
        config, dataset, "computed", seen
    )


def test_usable_protocols_have_no_problem() -> None:
    problems = {"official": "no track has a split of its own"}
    assert usable_protocols(["random", "artist", "official"], problems) == ["random", "artist"]
    with pytest.raises(SongNetError, match=r"official: no track has a split .*; use protocols=r"):
        usable_protocols(["official"], problems)


def test_features_source_reports_missing_features(tmp_path: Path) -> None:
    archive = tmp_path / "fma_metadata.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("fma_metadata/tracks.csv", "")
    dataset = DATASETS["local"] | {"clips": False}
    config = checked() | {"dataset": "mine", "archives": str(tmp_path)}
    with pytest.raises(SongNetError, match=r"fma_metadata\.zip: has no features\.csv, and data"):
        features_source(config, dataset)


def test_archive_paths_are_equal_for_all_spellings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise another spelling of the folder would rerun everything."""
    monkeypatch.chdir(tmp_path)
    for name in ("fma_metadata.zip", "fma_small.zip"):
        (tmp_path / "music").mkdir(exist_ok=True)
        (tmp_path / "music" / name).touch()
    config = {"dataset": "local"}
    spellings = ("music", "./music/", f"../{tmp_path.name}/music", str(tmp_path / "music"))
    found = {
        tuple(archive_paths(checked(**config, archives=folder), DATASETS["local"]))
        for folder in spellings
    }
    assert found == {("music/fma_metadata.zip", "music/fma_small.zip")}
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    paths = archive_paths(checked(**config, archives="../music"), DATASETS["local"])
    assert paths[0] == str(tmp_path / "music/fma_metadata.zip")
