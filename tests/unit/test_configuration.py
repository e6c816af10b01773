"""What a user can get wrong in the configuration gets one line that names the key."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from songnet.causal_crnn import CausalCRNN
from songnet.configuration import (
    check,
    check_models,
    dataset_note,
    feature_columns,
    features_source,
    read_models,
    read_yaml,
    selected_models,
    shard_count,
    variant,
)
from songnet.crnn import CRNN
from songnet.errors import SongNetError
from songnet.runs import for_tracks
from songnet.signatures import config_of, fields
from songnet.training import TrainingConfig

ROOT = Path(__file__).parents[2]
SCHEMA = read_yaml(ROOT / "workflow/schemas/config.schema.yaml")
DATASETS = read_yaml(ROOT / "config/datasets.yaml")
MODELS_SCHEMA = read_yaml(ROOT / "workflow/schemas/models.schema.yaml")
MODELS = read_models(ROOT / "config/models.yaml")


def checked(**config: Any) -> dict[str, Any]:
    return check(config, SCHEMA, DATASETS, MODELS)


def test_defaults_equal_the_commented_file() -> None:
    written = read_yaml(ROOT / "config/config.yaml")
    assert checked() == written == check(written, SCHEMA, DATASETS, MODELS)


def test_a_variant_counts_for_few_tracks_too() -> None:
    """Else an ablation on few tracks would compare a network with itself."""
    full, without = (for_tracks(MODELS[name], 100) for name in ("causal_crnn", "without_mixup"))
    assert full["training"]["mixup"] > 0 and without["training"]["mixup"] == 0
    assert without["training"] | {"mixup": full["training"]["mixup"]} == full["training"]
    assert MODELS["crnn_metadata"]["training"] == MODELS["causal_crnn"]["training"]
    wide = variant(MODELS["causal_crnn"], {"parameters": {"hidden": 7}})
    assert for_tracks(wide, 100)["parameters"] == full["parameters"] | {"hidden": 7}
    assert for_tracks(variant(wide, {"few_tracks": None}), 100)["parameters"]["hidden"] == 7
    # What an entry itself says of few tracks stands.
    both = {"training": {"epochs": 9}, "few_tracks": {"training": {"epochs": 8}}}
    assert for_tracks(variant(wide, both), 100)["training"]["epochs"] == 8
    assert for_tracks(variant(wide, both), 1400)["training"]["epochs"] == 9


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"protocol": "artist"}, r"config key protocol is unknown \(allowed: dataset, "),
        ({"mel": {"mels": 64}}, "config key mels in mel is unknown"),
        (
            {"protocols": ["artst"]},
            r"protocols\.0: 'artst' is not allowed \(allowed: random, artist, official\)",
        ),
        ({"dataset": "fma"}, r"dataset: 'fma' is not known \(allowed: demo, fma_small"),
        ({"models": ["cnn"]}, "models: 'cnn' is not known"),
        ({"seeds": []}, "config key seeds"),
        ({"seeds": [1, 1]}, "config key seeds"),
        ({"split": {"train": 0.8}}, "split: the shares .* do not sum to 1"),
        ({"clips": {"min_seconds": 40}}, "min_seconds is larger"),
        ({"mel": {"hop_length": 4096}}, "hop_length is larger"),
        ({"mel": {"n_mels": 28}}, r"mel\.n_mels: 28 is less than the minimum of 29"),
        ({"clips": {"min_seconds": 0.2}}, r"clips\.min_seconds: 0\.2 is less than the minimum"),
        ({"dataset": "local_mels", "mel": {"n_mels": 96}}, "mel: dataset=local_mels decodes no"),
        ({"dataset": "poster", "clips": {"min_seconds": 2}}, "clips: dataset=poster decodes no"),
        ({"archives": "/nowhere"}, "archives: dataset=demo makes its own"),
        ({"dataset": "local"}, "archives: dataset=local needs archives=DIR"),
        ({"dataset": "local", "archives": "/nowhere"}, r"/nowhere/fma_metadata\.zip: no such file"),
    ],
)
def test_errors_name_the_key(config: dict[str, Any], message: str) -> None:
    with pytest.raises(SongNetError, match=message) as error:
        checked(**config)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("x:", r"x: None is not of type 'object'"),
        ("x: {like: svm, seeded: }", r"x\.seeded: None is not of type 'boolean'"),
        ("x: {title: X, seeded: true}", r"x: 'family' is a required property"),
        ("x: {like: svm, seeded: 1}", r"x\.seeded: 1 is not of type 'boolean'"),
        ("x: {title: X, family: svm}", r"x: 'seeded' is a required property"),
        ("x: {family: fusion, seeded: true, members: [svm]}", r"x: 'title' is a required property"),
        ("x: {like: svm, family: svm}", r"x\.family: 'svm' is not allowed \(allowed: baseline, "),
        ("x: {like: svm, family: crnn}", r"x: 'network' is a required property"),
        ("x: {like: svm, feature: all}", r"feature in x is unknown \(allowed: title, family, "),
        ("x: {like: svm, estimator: sklearn.svm.SVCC}", r"x\.estimator: 'sklearn\.svm\.SVCC' can"),
        ("x: {like: svm, estimator: SVC}", r"x\.estimator: 'SVC' cannot be found"),
        ("x: {like: svm, estimator: no_such.SVC}", r"x\.estimator: 'no_such\.SVC' cannot be found"),
        ("x: {like: crnn, network: songnet.crnn.CRN}", r"x\.network: 'songnet\.crnn\.CRN' cannot"),
        (
            "x: {like: crnn, training: {epoch: 3}}",
            r"epoch in x\.training is unknown \(allowed: mixup, .* epochs, .*compile\)",
        ),
        (
            "x: {like: causal_crnn, few_tracks: {training: {mixap: 1}}}",
            r"mixap in x\.few_tracks\.training is unknown \(allowed: mixup, ",
        ),
        (
            "x: {like: causal_crnn, few_tracks: {parameters: {kernel: 1}}}",
            r"kernel in x\.few_tracks\.parameters is unknown \(allowed: channels, ",
        ),
        (
            "x: {like: causal_crnn, training: 3}",
            r"x\.training: 3 is not of type 'object'",
        ),
        (
            "x: {like: causal_crnn, few_tracks: 3}\ny: {like: x, training: {epochs: 1}}",
            r"[xy]\.few_tracks: 3 is not of type 'object', 'null'",
        ),
        (
            "x: {like: causal_crnn, few_tracks: {mixup: 1}}",
            r"mixup in x\.few_tracks is unknown \(allowed: below, parameters, training\)",
        ),
        (
            "x: {like: causal_crnn, parameters: {kernel: 3, n_mels: 3}}",
            r"kernel in x\.parameters is unknown "
            r"\(allowed: channels, step_seconds, features, hidden, dropout, metadata\)",
        ),
        ("x: {like: fusion, members: [svn]}", r"x\.members: 'svn' is no baseline and no crnn"),
        ("x: {like: fusion, members: [fusion]}", r"x\.members: 'fusion' is no baseline and no"),
    ],
)
def test_errors_name_the_entry_of_a_model(entry: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text((ROOT / "config/models.yaml").read_text() + entry)
    with pytest.raises(SongNetError, match=rf"^models\.yaml: {message}") as error:
        check_models(read_models(path), MODELS_SCHEMA)
    assert "\n" not in str(error.value)


def test_fields_are_those_of_the_classes() -> None:
    """They are read from the source, since the classes' modules load torch."""
    assert fields("songnet.training.TrainingConfig") == [
        field.name for field in dataclasses.fields(TrainingConfig)
    ]
    for network in (CRNN, CausalCRNN):
        path = config_of(f"{network.__module__}.{network.__name__}")
        assert path is not None
        assert fields(path) == [field.name for field in dataclasses.fields(network.Config)]


def test_text_from_the_command_line_gets_its_type() -> None:
    config = checked(seeds=["1", "2"], mel={"n_mels": "64"}, tracking={"live": "false"})
    assert config["seeds"] == [1, 2]
    assert config["mel"]["n_mels"] == 64
    assert config["tracking"]["live"] is False
    with pytest.raises(SongNetError, match=r"seeds\.0"):
        checked(seeds=["one"])


def test_broken_text_from_the_command_line_names_the_key() -> None:
    with pytest.raises(SongNetError, match="seeds"):
        checked(seeds="[1,2")


def test_spectrograms_have_no_518_features() -> None:
    config = checked()
    assert "svm_518" not in selected_models(config, DATASETS["local_mels"], MODELS)
    assert "svm_518" in selected_models(config, DATASETS["demo"], MODELS)
    with pytest.raises(SongNetError, match="svm_518"):
        selected_models(config | {"models": ["svm_518"]}, DATASETS["local_mels"], MODELS)


def test_fusions_need_their_members() -> None:
    config = checked()
    assert "fusion_518" not in selected_models(config, DATASETS["local_mels"], MODELS)
    with pytest.raises(SongNetError, match="models: 'fusion' needs 'svm' in the list"):
        selected_models(config | {"models": ["causal_crnn", "fusion"]}, DATASETS["demo"], MODELS)


def test_metadata_models_need_metadata() -> None:
    config = checked()
    assert "crnn_metadata" in selected_models(config, DATASETS["fma_small"], MODELS)
    with pytest.raises(SongNetError, match="'crnn_metadata' needs duration, bit rate"):
        selected_models(config | {"models": ["crnn_metadata"]}, DATASETS["local_mels"], MODELS)


def test_entries_may_be_like_others(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(
        "a: {title: A, training: {epochs: 3, mixup: 0.2}}\n"
        "b: {like: a, title: B, training: {mixup: 0}, on_request: true}\n"
    )
    models = read_models(path)
    assert models["a"] == {"title": "A", "training": {"epochs": 3, "mixup": 0.2}}
    assert models["b"]["training"] == {"epochs": 3, "mixup": 0} and models["b"]["title"] == "B"
    path.write_text("a: {like: c}\n")
    with pytest.raises(SongNetError, match=r"models\.yaml: a: like: 'c' is no earlier entry"):
        read_models(path)


def test_models_on_request_are_not_in_the_default(tmp_path: Path) -> None:
    models = {"a": {"family": "crnn"}, "b": {"family": "crnn", "on_request": True}}
    dataset = DATASETS["demo"]
    assert list(selected_models({"models": None}, dataset, models)) == ["a"]
    assert list(selected_models({"models": ["b"]}, dataset, models)) == ["b"]


def test_every_key_has_a_description() -> None:
    assert all(rule["description"] for rule in SCHEMA["properties"].values())


def test_a_taste_has_few_jobs_and_a_note_of_its_own() -> None:
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
    taste = dataset_note(checked(dataset="fma_small", tracks_per_genre=50), small, "computed")
    assert "untrimmed" not in taste
    assert "50 tracks" in taste and "features were computed here" in taste
    # One's own archives may be tasted too.
    own = {"tracks_per_genre": 5, "archives": "DIR"}
    assert dataset_note(checked() | own, small, "computed").startswith("A taste: 5 tracks")


@pytest.mark.parametrize("name", ["fma_small", "fma_medium", "fma_large", "poster"])
def test_published_features_are_said_to_be_of_untrimmed_tracks(name: str) -> None:
    config, dataset = checked(dataset=name), DATASETS[name]
    note = dataset_note(config, dataset, features_source(config, dataset))
    assert "untrimmed tracks, not on the 30 s clips" in note
    assert dataset["note"] in note
    assert "untrimmed" not in dataset_note(config, dataset, "computed")


def test_models_tell_which_published_columns_are_read() -> None:
    some = {name: MODELS[name] for name in ("knn", "svm", "crnn")}
    assert feature_columns(some) == "mfcc"
    assert feature_columns(some | {"svm_518": MODELS["svm_518"]}) == "all"


def test_the_conda_environment_has_the_locked_versions() -> None:
    environment = read_yaml(ROOT / "envs/songnet.yaml")["dependencies"][-1]
    assert environment["pip"] == (ROOT / "requirements.lock").read_text().splitlines()
