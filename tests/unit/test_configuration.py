"""What a user can get wrong in the configuration gets one line that names the key."""

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from songnet.demo.archives import GENRE_IDS
from songnet.demo.synthesis import STYLES
from songnet.errors import SongNetError
from songnet.models.causal_crnn import CausalCRNN
from songnet.models.crnn import CRNN
from songnet.pipeline import signatures
from songnet.pipeline.configuration import (
    check,
    check_datasets,
    check_models,
    read_models,
    read_yaml,
)
from songnet.pipeline.signatures import config_of, fields
from songnet.training.loop import TrainingConfig
from tests.configured import (
    DATASETS,
    DATASETS_SCHEMA,
    MODELS,
    MODELS_SCHEMA,
    ROOT,
    SCHEMA,
    checked,
)


def test_defaults_equal_the_commented_file() -> None:
    written = read_yaml(ROOT / "config/config.yaml")
    assert checked() == written == check(written, SCHEMA, DATASETS)


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
        (
            {"dataset": "fma_small", "genres": ["Rock", "Jazz"]},
            r"genres: 'Jazz' is not known \(allowed: Instrumental, ",
        ),
        (
            {"dataset": "fma_medium", "genres": ["Rokc", "Jazz"]},
            r"genres: 'Rokc' is not known \(allowed: Blues, ",
        ),
        ({"seeds": [1, 1]}, "config key seeds"),
        ({"split": {"train": 0.8}}, "split: the shares .* do not sum to 1"),
        ({"clips": {"min_seconds": 40}}, "min_seconds is larger"),
        ({"mel": {"hop_length": 4096}}, "hop_length is larger"),
        ({"mel": {"n_mels": 28}}, r"mel\.n_mels: 28 is less than the minimum of 29"),
        ({"clips": {"min_seconds": 0.2}}, r"clips\.min_seconds: 0\.2 is less than the minimum"),
        ({"dataset": "local_mels", "mel": {"n_mels": 96}}, "mel: dataset=local_mels decodes no"),
        (
            {"dataset": "local_mels", "clips": {"clip_seconds": 10}},
            r"clips\.clip_seconds: dataset=lo",
        ),
        ({"dataset": "poster", "clips": {"min_seconds": 2}}, "clips: dataset=poster decodes no"),
        ({"clips": {"clip_seconds": float("inf")}}, r"clips\.clip_seconds: 'inf' is not of"),
        ({"clips": {"clip_seconds": ".inf"}}, r"clips\.clip_seconds: 'inf' is not of"),
        ({"heard_seconds": [1, "1e999"]}, r"heard_seconds\.1: 'inf' is not of type 'number'"),
        ({"evaluation": {"confidence": float("nan")}}, r"evaluation\.confidence: 'nan' is not of"),
        ({"split": {"train": float("nan")}}, r"split\.train: 'nan' is not of type 'number'"),
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
        (
            "x: {like: crnn, network: crn}",
            r"x\.network: 'crn' cannot be found",
        ),
        (
            "x: {like: crnn, training: {epoch: 3}}",
            r"epoch in x\.training is unknown \(allowed: epochs, .*compile\)",
        ),
        ("x: {like: causal_crnn, training: 3}", r"x\.training: 3 is not of type 'object'"),
        (
            "x: {like: causal_crnn, training: 3}\ny: {like: x, training: {epochs: 1}}",
            r"x\.training: 3 is not of type 'object'",
        ),
        (
            "x: {like: causal_crnn, parameters: {kernel: 3, n_mels: 3}}",
            r"kernel in x\.parameters is unknown "
            r"\(allowed: channels, step_seconds, features, hidden, peak_normalise, metadata\)",
        ),
        ("x: {like: crnn, training: {epochs: 0}}", r"x\.training\.epochs: 0 is less than the min"),
        ("x: {like: crnn, training: {epochs: many}}", r"x\.training\.epochs: 'many' is not of t"),
        ("x: {like: crnn, training: {batch_size: 1}}", r"x\.training\.batch_size: 1 is less than"),
        ("x: {like: crnn, training: {warmup: 1}}", r"x\.training\.warmup: 1 is greater than or eq"),
        ("x: {like: crnn, parameters: {dropout: 2}}", r"x\.parameters\.dropout: 2 is greater than"),
        (
            "x: {like: causal_crnn, parameters: {channels: [1, 2]}}",
            r"x\.parameters\.channels: .1, 2",
        ),
        ("x: {like: svm, members: [knn]}", r"x\.members means nothing here"),
        ("x: {like: svm, training: {epochs: 3}}", r"x\.training means nothing here"),
        ("x: {like: crnn, features: all}", r"x\.features means nothing here"),
        ("x: {like: [svm]}", r"x: like: \['svm'\] is no earlier entry"),
        ("a+b: {like: svm}", r"a\+b: a name has letters, digits and underscores only"),
        ("yes: {like: svm}", r"True: YAML takes this name for no text; quote it"),
        ("svm: {like: knn}", r"not YAML: svm stands twice in .*models\.yaml\", line \d+, column 1"),
        ("x: {like: svm, title: X, title: Y}", r"not YAML: title stands twice in "),
        ("x: {like: svm", r"not YAML: while parsing a flow mapping in "),
        ("x: {like: crnn, training: {learning_rate: .inf}}", r"x\.training\.learning_rate: 'inf'"),
        ("5: {like: svm}", r"5: a name has letters, digits and underscores only"),
        ("x: {like: crnn, poster: null}", r"x\.title: crnn has the same, 'C-RNN'"),
        ("x: {like: svm, poster: 46.4}", r"x\.poster: 46\.4 is greater than the maximum of 1"),
        ("x: {like: fusion, parameters: {C: 1}}", r"x\.parameters means nothing here"),
        (
            "x: {like: causal_crnn, parameters: {peak_normalise: no way}}",
            r"x\.parameters\.peak_normalise",
        ),
        ("x: {like: fusion, members: [svn]}", r"x\.members: 'svn' is not a trained model"),
        ("x: {like: fusion, members: [fusion]}", r"x\.members: 'fusion' is not a trained model"),
    ],
)
def test_errors_name_the_entry_of_a_model(entry: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text((ROOT / "config/models.yaml").read_text() + entry)
    with pytest.raises(SongNetError, match=rf"^(.*/)?models\.yaml: {message}") as error:
        check_models(read_models(path), MODELS_SCHEMA)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shards": "four"}, r"demo\.shards: 'four' is not of type 'integer'"),
        ({"shard": 4}, r"shard in demo is unknown \(allowed: title, source, "),
        ({"features": "computd"}, r"demo\.features: 'computd' is not allowed \(allowed: com"),
        ({"source": "synthesys"}, r"demo\.source: 'synthesys' is not allowed"),
        ({"source": "download"}, r"demo\.urls: \[\] should be non-empty"),
        (
            {"source": "download", "urls": ["https://a/"]},
            r"demo\.files: lacks the SHA-1 of fma_metadata\.zip",
        ),
        ({"genres": None}, r"demo\.genres: None is not of type 'array'"),
        ({"training": {"epoch": 5}}, r"epoch in demo\.training is unknown \(allowed: epochs, "),
        ({"training": {"epochs": 0}}, r"demo\.training\.epochs: 0 is less than the minimum of 1"),
        ({"synthesis": {"seed": 1}}, r"demo\.synthesis: 'tracks_per_genre' is a required"),
        ({"genres": ["Rock", "Jazz"]}, r"demo\.genres\.1: 'Jazz' is not allowed \(allowed: Inst"),
        ({"clips": False}, r"demo\.clips: True was expected"),
        ({"subset": "large"}, r"demo\.subset: 'small' was expected"),
        ({"features": "published"}, r"demo\.features: 'computed' was expected"),
        ({"source": "mels"}, r"demo\.features: 'computed' is not allowed \(allowed: mels, publ"),
        (
            {"source": "archives", "features": "mels"},
            r"demo\.features: 'mels' is not allowed \(allowed: computed, published\)",
        ),
        (
            {"source": "archives", "clips": False},
            r"demo\.features: 'published' was expected",
        ),
    ],
)
def test_errors_name_the_entry_of_a_data_set(changes: dict[str, Any], message: str) -> None:
    datasets = DATASETS | {"demo": DATASETS["demo"] | changes}
    with pytest.raises(SongNetError, match=rf"^datasets\.yaml: {message}") as error:
        check_datasets(datasets, DATASETS_SCHEMA, MODELS_SCHEMA)
    assert "\n" not in str(error.value)


def test_the_demo_has_the_genres_that_can_be_composed() -> None:
    rules = DATASETS_SCHEMA["additionalProperties"]["allOf"]
    genres = rules[1]["then"]["properties"]["genres"]["items"]["enum"]
    assert set(genres) == set(STYLES) == set(GENRE_IDS)


def test_an_entry_of_a_data_set_is_whole() -> None:
    assert check_datasets(DATASETS, DATASETS_SCHEMA, MODELS_SCHEMA) == DATASETS
    with pytest.raises(SongNetError, match=r"mine: None is not of type 'object'"):
        check_datasets(DATASETS | {"mine": None}, DATASETS_SCHEMA, MODELS_SCHEMA)
    with pytest.raises(SongNetError, match=r"my/own: a name has letters"):
        check_datasets(DATASETS | {"my/own": DATASETS["local"]}, DATASETS_SCHEMA, MODELS_SCHEMA)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_bytes("svm: {title: Stützvektoren}".encode("latin-1"))
    with pytest.raises(
        SongNetError, match=r"^.*models\.yaml: not YAML: .*invalid start byte"
    ) as error:
        read_models(path)
    assert "\n" not in str(error.value)
    path.write_bytes("svm: {title: Stützvektoren}".encode())
    assert read_models(path) == {"svm": {"title": "Stützvektoren"}}


def test_numbers_may_have_an_exponent(tmp_path: Path) -> None:
    """YAML 1.1 takes 1e-3 for text."""
    path = tmp_path / "models.yaml"
    text = (ROOT / "config/models.yaml").read_text()
    text += "x: {like: crnn, title: x, training: {learning_rate: 1e-3, epochs: 7e0}}\n"
    text += "y: {like: svm, title: y, parameters: {C: 1e2, gamma: 2.5E-3, kernel: '1e2'}}\n"
    path.write_text(text)
    models = check_models(read_models(path), MODELS_SCHEMA)
    assert models["x"]["training"] == MODELS["crnn"]["training"] | {"epochs": 7}
    assert isinstance(models["x"]["training"]["learning_rate"], float)
    assert isinstance(models["x"]["training"]["epochs"], int)
    assert models["y"]["parameters"] == {"C": 100.0, "gamma": 0.0025, "kernel": "1e2"}


def test_the_ablation_changes_one_thing() -> None:
    """poster_net_same_recipe is the poster's network with all else of the causal one."""
    ablation = read_yaml(ROOT / "config/ablation.yaml")
    causal = MODELS[ablation["reference"]]
    settings = {**causal["parameters"], **causal["training"]}
    for name in set(ablation["models"]) - {ablation["reference"], "poster_net_same_recipe"}:
        entry = MODELS[name]
        own = {**entry["parameters"], **entry["training"]}
        changed = [key for key in own if own[key] != settings.get(key)]
        assert own.keys() >= settings.keys() and entry["network"] == causal["network"]
        wider = name == "wide" and changed == ["channels", "features", "hidden"]
        assert len(changed) == 1 or wider, name
    frequency, poster = MODELS["poster_net_same_recipe"], MODELS["crnn"]
    assert frequency["training"] == causal["training"]
    assert all(frequency[key] == poster[key] for key in ("network", "parameters"))
    # So it is where a data set says how networks are trained.
    demo = read_models(ROOT / "config/models.yaml", DATASETS["demo"]["training"])
    assert demo["poster_net_same_recipe"]["training"] == demo["causal_crnn"]["training"]


def test_fields_are_those_of_the_classes() -> None:
    """The schema lists those of the training; networks' are read from source, without torch."""
    training = MODELS_SCHEMA["additionalProperties"]["properties"]["training"]
    assert list(training["properties"]) == [
        field.name for field in dataclasses.fields(TrainingConfig)
    ]
    of_data = fields("songnet.models.base.NetworkConfig")
    typed = set()
    for network in (CRNN, CausalCRNN):
        path = config_of(f"{network.__module__}.{network.__name__}")
        assert path is not None
        assert fields(path) == [field.name for field in dataclasses.fields(network.Config)]
        typed |= set(fields(path)) - set(of_data)
    crnn = MODELS_SCHEMA["additionalProperties"]["allOf"][1]["then"]["properties"]
    assert set(crnn["parameters"]["properties"]) == typed


NETWORK = """
from songnet.models.crnn import CRNN, CRNNConfig

class MyConfig(CRNNConfig):
    depth: int = 2

class Plain(CRNN):
    Config = MyConfig

class Annotated(CRNN):
    Config: type = MyConfig

class Inherited(Annotated):
    pass
"""


def test_a_network_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.py"
    inside = signatures._module_file
    monkeypatch.setattr(
        signatures, "_module_file", lambda name: file if name == "songnet.mine" else inside(name)
    )
    file.write_text(NETWORK)
    for name in ("Plain", "Annotated", "Inherited"):
        config = config_of(f"songnet.mine.{name}")
        assert config is not None and fields(config)[-1] == "depth"
    for spoilt, line in ((b"\nclass Mine(", 2), ("x = 'Bläser'".encode("latin-1"), 1)):
        signatures._tree.cache_clear()
        file.write_bytes(spoilt)
        with pytest.raises(SongNetError, match=rf"^{file}, line {line}: "):
            config_of("songnet.mine.Mine")
    signatures._tree.cache_clear()


def test_text_from_the_command_line_gets_its_type() -> None:
    config = checked(seeds=["1", "2"], mel={"n_mels": "64"}, tracking={"live": "false"})
    assert config["seeds"] == [1, 2]
    whole = checked(seeds=[1.0], tracks_per_genre="1e2")
    assert repr(whole["seeds"]) == "[1]" and repr(whole["tracks_per_genre"]) == "100"
    assert config["mel"]["n_mels"] == 64
    assert config["tracking"]["live"] is False
    with pytest.raises(SongNetError, match=r"seeds\.0"):
        checked(seeds=["one"])
    nothing = checked(reference="null", archives="null", tracking={"experiment": "null"})
    assert nothing == checked()
    assert checked(dataset="fma_medium", genres=["Jazz", "Old-Time / Historic"])["genres"]


def test_broken_text_from_the_command_line_names_the_key() -> None:
    with pytest.raises(SongNetError, match="seeds"):
        checked(seeds="[1,2")


def test_tables_may_be_merged(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text("a: &a {epochs: 3, ema_decay: 0.2}\nb: {<<: *a, epochs: 4}\n")
    assert read_yaml(path)["b"] == {"epochs": 4, "ema_decay": 0.2}


def test_genres_in_another_order_are_the_same_data_set() -> None:
    assert checked(genres=["Rock", "Folk"])["genres"] == ["Folk", "Rock"]
    every = DATASETS["fma_small"]["genres"]
    assert checked(dataset="fma_small", genres=every) == checked(dataset="fma_small")


def test_seconds_in_another_order_are_the_same() -> None:
    assert checked(heard_seconds=[5, 1, 30])["heard_seconds"] == [1, 5, 30]


def test_entries_may_be_like_others(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(
        "a: {title: A, training: {epochs: 3, ema_decay: 0.2}}\n"
        "b: {like: a, title: B, training: {ema_decay: 0}, on_request: true}\n"
    )
    models = read_models(path)
    assert models["a"] == {"title": "A", "training": {"epochs": 3, "ema_decay": 0.2}}
    assert models["b"]["training"] == {"epochs": 3, "ema_decay": 0} and models["b"]["title"] == "B"
    # A data set's training changes both, but not what makes the one another.
    models = read_models(path, {"epochs": 1, "ema_decay": 0.5})
    assert models["a"]["training"] == {"epochs": 1, "ema_decay": 0.5}
    assert models["b"]["training"] == {"epochs": 1, "ema_decay": 0}
    path.write_text("a: {like: c}\n")
    with pytest.raises(SongNetError, match=r"models\.yaml: a: like: 'c' is no earlier entry"):
        read_models(path)


def test_every_key_has_a_description() -> None:
    assert all(rule["description"] for rule in SCHEMA["properties"].values())


def test_the_conda_environment_has_the_locked_versions_of_what_runs() -> None:
    pip = read_yaml(ROOT / "envs/songnet.yaml")["dependencies"][-1]["pip"]
    # Without the markers: what tests need may be needed on more platforms.
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    assert {line.split(" ;")[0] for line in pip} < {line.split(" ;")[0] for line in lock}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {re.split(r"[\[=]", line)[0] for line in pip}

    def of(requirements: list[str]) -> set[str]:
        return {re.split(r"[^\w-]", line)[0].lower() for line in requirements}

    assert of(project["project"]["dependencies"]) <= names
    assert not names & {"librosa", "mypy", "playwright", "pytest", "ruff"}
