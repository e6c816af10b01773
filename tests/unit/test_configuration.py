"""Configuration errors are one line that names the key."""

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from songnet.demo.archives import GENRE_IDS
from songnet.demo.styles import STYLES
from songnet.errors import SongNetError
from songnet.pipeline.configuration import check, check_datasets, check_models, read_models
from songnet.pipeline.settings import Style
from songnet.pipeline.yaml_files import read_yaml
from tests.configured import DATASETS, MODELS, ROOT, checked

INFINITE = "must be a finite number, got"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a path for models.yaml, which does not exist yet."""
    return tmp_path / "models.yaml"


def with_models(path: Path, entries: str) -> dict[str, Any]:
    """Validate the project's models.yaml with additional entries."""
    path.write_text((ROOT / "config/models.yaml").read_text() + entries)
    return check_models(read_models(path))


def test_defaults_equal_config_yaml() -> None:
    written = read_yaml(ROOT / "config/config.yaml")
    filled = {key: checked()[key] for key in ("spectrogram", "seeds")}
    assert checked() == written | filled == check(written, DATASETS)
    assert checked()["seeds"] == [1] and checked(dataset="fma_small")["seeds"] == [1, 2, 3]
    assert checked(seeds=[4])["seeds"] == [4]
    # Otherwise leaving out a key would rerun everything.
    assert repr(checked()) == repr(check(written, DATASETS))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"protocol": "artist"}, "protocol is unknown (allowed: dataset, "),
        ({"spectrogram": {"mels": 64}}, "spectrogram.mels is unknown (allowed: sample_rate, "),
        ({"spectrogram": {"kind": "cqt"}}, "spectrogram.kind: 'cqt' is not known (allowed: mel, "),
        ({"spectrogram": 64}, "spectrogram: must be keys and values, got 64"),
        (
            {"protocols": ["artst"]},
            "protocols.0: must be 'random', 'artist' or 'official', got 'artst'",
        ),
        ({"dataset": "fma"}, "dataset: 'fma' is not known (allowed: demo, fma_small"),
        ({"models": ["cnn"]}, "models: 'cnn' is not known (allowed: random_guess, "),
        ({"models": []}, "models: must have at least 1 item, got []"),
        ({"reference": "knn", "models": ["svm"]}, "reference: 'knn' is not one of"),
        ({"seeds": []}, "seeds: must have at least 1 item, got []"),
        ({"seeds": "one"}, "seeds.0: must be a valid integer, got 'one'"),
        ({"seeds": {"one": 1}}, "seeds: must be a valid list, got {'one': 1}"),
        ({"genres": "Rock"}, "genres: must have at least 2 items, got ['Rock']"),
        ({"models": "svm,knn"}, "models: 'svm,knn' is not known (allowed: random_guess, "),
        ({"seeds": ["one"]}, "seeds.0: must be a valid integer, got 'one'"),
        ({"seeds": "[1,2"}, "seeds.0: must be a valid integer, got '[1,2'"),
        ({"seeds": [True]}, "seeds.0: must be a valid integer, got True"),
        ({"seeds": [1, 1]}, "seeds: 1 is listed twice"),
        ({"seeds": [2**32]}, "seeds.0: must be less than or equal to 4294967295, got 4294967296"),
        ({"tracks_per_genre": 2}, "tracks_per_genre: must be greater than or equal to 3, got 2"),
        ({"mirrors": ["ftp://a/"]}, "mirrors.0: must match pattern '^(https?|file)://', got 'ftp:"),
        ({"tracking": {"live": 1}}, "tracking.live: must be a valid boolean, got 1"),
        ({"tracking": {"experiment": "a/b"}}, "tracking.experiment: must match pattern"),
        (
            {"dataset": "fma_small", "genres": ["Rock", "Jazz"]},
            "genres: 'Jazz' is not known (allowed: Instrumental, ",
        ),
        (
            {"dataset": "fma_medium", "genres": ["Rokc", "Jazz"]},
            "genres: 'Rokc' is not known (allowed: Blues, ",
        ),
        ({"split": {"train": 0.8}}, "split: the fractions {'train': 0.8, "),
        ({"clips": {"min_seconds": 40}}, "clips: min_seconds is larger"),
        ({"spectrogram": {"hop_length": 4096}}, "spectrogram: hop_length is larger"),
        (
            {"spectrogram": {"n_mels": 28}},
            "spectrogram.n_mels: must be greater than or equal to 29, got 28",
        ),
        ({"clips": {"min_seconds": 0.2}}, "clips.min_seconds: must be greater than or equal to"),
        (
            {"dataset": "local_mels", "spectrogram": {"kind": "log_mel"}},
            "spectrogram: has no effect with dataset=local_mels, which decodes no",
        ),
        (
            {"dataset": "local_mels", "clips": {"clip_seconds": 10}},
            "clips.clip_seconds: has no effect",
        ),
        (
            {"dataset": "poster", "clips": {"min_seconds": 2}},
            "clips: has no effect with dataset=poster",
        ),
        ({"clips": {"clip_seconds": ".inf"}}, f"clips.clip_seconds: {INFINITE} inf"),
        ({"excerpt_seconds": [1, "1e999"]}, f"excerpt_seconds.1: {INFINITE} inf"),
        ({"split": {"train": float("nan")}}, f"split.train: {INFINITE} nan"),
        ({"archives": "/nowhere"}, "archives: not used by dataset=demo"),
        ({"dataset": "local"}, "archives: dataset=local needs archives=DIR"),
        ({"dataset": "local", "archives": "/no"}, "archives: /no/fma_metadata.zip: no such file"),
        (
            {"dataset": "local", "archives": "~/n"},
            f"archives: {Path.home()}/n/fma_metadata.zip: no",
        ),
        ({"dataset": "folder"}, "audio: dataset=folder needs audio=DIR, a folder of songs"),
        ({"dataset": "folder", "archives": "x"}, "archives: dataset=folder uses audio=DIR"),
        ({"dataset": "folder", "audio": "~/n"}, f"audio: {Path.home()}/n: no such file or folder"),
        ({"audio": "x"}, "audio: not used by dataset=demo; for your own songs use dataset="),
        ({"labels": "tags"}, "labels: not used by dataset=demo"),
        ({"features": "published"}, "features: published: dataset=demo has no published"),
        ({"features": "no.csv"}, "features: must be 'computed' or 'published', got 'no.csv'"),
    ],
)
def test_check_reports_key(config: dict[str, Any], message: str) -> None:
    with pytest.raises(SongNetError, match="^config key " + re.escape(message)) as error:
        checked(**config)
    assert "\n" not in str(error.value)


OF_BASELINES, OF_NETWORKS = (
    f"(allowed: title, poster, seeded, on_request, family, {keys})"
    for keys in (
        "estimator, features, parameters",
        "network, parameters, teacher, teacher_mixtures, training",
    )
)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("x:", "x: must be keys and values, got None"),
        ("x: {like: svm, seeded: }", "x.seeded: must be a valid boolean, got None"),
        ("x: {title: X, seeded: true}", "x.family is required"),
        ("x: {like: svm, seeded: 1}", "x.seeded: must be a valid boolean, got 1"),
        ("x: {family: fusion, seeded: true, members: [svm]}", "x.title is required"),
        (
            "x: {like: svm, family: svm}",
            "x.family: must be one of 'baseline', 'crnn', 'encoder', 'fusion', got 'svm'",
        ),
        ("x: {title: X, family: crnn, seeded: true}", "x.network is required"),
        ("x: {like: svm, family: crnn}", f"x.estimator is unknown {OF_NETWORKS}"),
        ("x: {like: svm, feature: all}", f"x.feature is unknown {OF_BASELINES}"),
        ("x: {like: svm, members: [knn]}", f"x.members is unknown {OF_BASELINES}"),
        ("x: {like: svm, training: {epochs: 3}}", f"x.training is unknown {OF_BASELINES}"),
        (
            "x: {like: crnn, teacher_mixtures: 9}",
            "x: teacher_mixtures and training.teacher_head need",
        ),
        (
            "x: {like: student, parameters: {metadata: true}}",
            "x: training.teacher_head needs a causal_crnn without metadata",
        ),
        ("x: {like: crnn, features: all}", f"x.features is unknown {OF_NETWORKS}"),
        ("x: {like: fusion, parameters: {C: 1}}", "x.parameters is unknown (allowed: title, "),
        (
            "x: {like: svm, estimator: sklearn.svm.SVCC}",
            "x.estimator: 'sklearn.svm.SVCC' cannot be found",
        ),
        ("x: {like: svm, estimator: sklearn.sv.SVC}", "x.estimator: 'sklearn.sv.SVC' cannot be"),
        ("x: {like: svm, estimator: SVC}", "x.estimator: 'SVC' cannot be found"),
        ("x: {like: svm, estimator: no_such.SVC}", "x.estimator: 'no_such.SVC' cannot be found"),
        ("x: {like: crnn, network: crn}", "x.network: must be 'crnn' or 'causal_crnn', got 'crn'"),
        ("x: {like: crnn, training: {epoch: 3}}", "x.training.epoch is unknown (allowed: epochs, "),
        ("x: {like: causal_crnn, training: 3}", "x.training: must be keys and values, got 3"),
        (
            "x: {like: causal_crnn, training: 3}\ny: {like: x, training: {epochs: 1}}",
            "x.training: must be keys and values, got 3",
        ),
        (
            "x: {like: causal_crnn, parameters: {kernel: 3, n_mels: 3}}",
            "x.parameters.kernel is unknown "
            "(allowed: channels, step_seconds, features, hidden, peak_normalise, metadata)",
        ),
        (
            "x: {like: crnn, training: {epochs: 0}}",
            "x.training.epochs: must be greater than or equal to 1, got 0",
        ),
        ("x: {like: crnn, training: {epochs: many}}", "x.training.epochs: must be a valid integer"),
        ("x: {like: crnn, training: {batch_size: 1}}", "x.training.batch_size: must be greater"),
        ("x: {like: crnn, training: {warmup: 1}}", "x.training.warmup: must be less than 1, got 1"),
        (
            "x: {like: crnn, training: {learning_rate: .inf}}",
            f"x.training.learning_rate: {INFINITE} inf",
        ),
        ("x: {like: crnn, parameters: {dropout: 2}}", "x.parameters.dropout: must be less than 1"),
        (
            "x: {like: causal_crnn, parameters: {channels: [1, 2]}}",
            "x.parameters.channels: must have at least 3 items, got [1, 2]",
        ),
        (
            "x: {like: causal_crnn, parameters: {channels: [1, 2, 0]}}",
            "x.parameters.channels.2: must be greater than or equal to 1, got 0",
        ),
        (
            "x: {like: causal_crnn, parameters: {peak_normalise: no way}}",
            "x.parameters.peak_normalise: must be a valid boolean",
        ),
        ("x: {like: [svm]}", "x: like: ['svm'] is not an earlier entry"),
        ("x: {like: y}", "x: like: 'y' is not an earlier entry"),
        ("x:\ny: {like: x}", "y: like: 'x' is not an earlier entry"),
        ("a+b: {like: svm}", "a+b: a name must be letters, digits and underscores"),
        ("5: {like: svm}", "5: a name must be letters, digits and underscores"),
        ("yes: {like: svm}", "True: YAML does not read this name as text; quote it"),
        ("svm: {like: knn}", "not valid YAML: svm is given twice in "),
        ("x: {like: svm, title: X, title: Y}", "not valid YAML: title is given twice in "),
        ("x: {like: svm", "not valid YAML: while parsing a flow mapping in "),
        ("x: {like: crnn, poster: null}", "x.title: 'C-RNN' is also that of crnn"),
        ("x: {like: svm, poster: 46.4}", "x.poster: must be less than or equal to 1, got 46.4"),
        ("x: {like: fusion, members: [svn]}", "x.members: 'svn' is not a trained model"),
        ("x: {like: fusion, members: [fusion]}", "x.members: 'fusion' is not a trained model"),
    ],
)
def test_read_models_reports_entry(entry: str, message: str, path: Path) -> None:
    with pytest.raises(SongNetError, match=rf"^(.*/)?models\.yaml: {re.escape(message)}") as error:
        with_models(path, entry)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("demo", {"shards": "four"}, "shards: must be a valid integer, got 'four'"),
        ("demo", {"shard": 4}, "shard is unknown (allowed: title, subset, "),
        ("demo", {"source": "synthesys"}, "source: must be one of 'synthesis', 'download', "),
        ("demo", {"genres": None}, "genres: must be a valid list, got None"),
        ("demo", {"genres": ["Rock", "Jazz"]}, "genres.1: must be 'Instrumental', 'Rock', "),
        ("demo", {"training": {"epoch": 5}}, "training.epoch is unknown (allowed: epochs, "),
        ("demo", {"training": {"epochs": 0}}, "training.epochs: must be greater than or equal to"),
        ("demo", {"synthesis": {"seed": 1}}, "synthesis.tracks_per_genre is required"),
        ("demo", {"clips": False}, "clips: must be True, got False"),
        ("demo", {"subset": "large"}, "subset: must be 'small', got 'large'"),
        ("demo", {"features": "published"}, "features: must be 'computed', got 'published'"),
        ("fma_small", {"synthesis": {}}, "synthesis is unknown (allowed: title, "),
        ("fma_small", {"urls": []}, "urls: must have at least 1 item, got []"),
        ("fma_small", {"files": {}}, "files: lacks the SHA-1 of fma_metadata.zip"),
        ("fma_small", {"files": {"a": {"sha1": "f0"}}}, "files.a.sha1: must match pattern"),
        ("local", {"features": "mels"}, "features: must be 'computed' or 'published', got 'mels'"),
        ("local", {"features": "computed", "clips": False}, ": without clips, features must be"),
        ("local_mels", {"features": "computed"}, "features: must be 'mels' or 'published', got"),
        ("local_mels", {"clips": False}, "clips: must be True, got False"),
    ],
)
def test_check_datasets_reports_entry(name: str, changes: dict[str, Any], message: str) -> None:
    datasets = DATASETS | {name: DATASETS[name] | changes}
    where = rf"^datasets\.yaml: {name}\.?"
    with pytest.raises(SongNetError, match=where + re.escape(message)) as error:
        check_datasets(datasets)
    assert "\n" not in str(error.value)


def test_demo_genres_equal_styles() -> None:
    assert set(get_args(Style)) == set(STYLES) == set(GENRE_IDS)


def test_check_datasets_refuses_empty_entry_and_bad_name() -> None:
    assert check_datasets(DATASETS) == DATASETS
    with pytest.raises(SongNetError, match=r"mine: must be keys and values, got None"):
        check_datasets(DATASETS | {"mine": None})
    with pytest.raises(SongNetError, match=r"my/own: a name must be letters"):
        check_datasets(DATASETS | {"my/own": DATASETS["local"]})


def test_read_models_refuses_other_encoding(path: Path) -> None:
    path.write_bytes("svm: {title: Stützvektoren}".encode("latin-1"))
    problem = r"^.*models\.yaml: not valid YAML: .*invalid start byte"
    with pytest.raises(SongNetError, match=problem) as error:
        read_models(path)
    assert "\n" not in str(error.value)
    path.write_bytes("svm: {title: Stützvektoren}".encode())
    assert read_models(path) == {"svm": {"title": "Stützvektoren"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", "expected keys and values, found list"),
        ("a: 2024-99-99", "not valid YAML: month must be"),
    ],
)
def test_read_yaml_refuses_other_files(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(SongNetError, match=rf"models\.yaml: {message}"):
        read_yaml(path)
    with pytest.raises(SongNetError, match=r"nowhere\.yaml: no such file"):
        read_yaml(path.with_name("nowhere.yaml"))


def test_read_models_reads_exponents_as_numbers(path: Path) -> None:
    """YAML 1.1 reads 1e-3 as text."""
    models = with_models(
        path,
        "x: {like: crnn, title: x, training: {learning_rate: 1e-3, epochs: 7e0}}\n"
        "y: {like: svm, title: y, parameters: {C: 1e2, gamma: 2.5E-3, kernel: '1e2'}}\n",
    )
    assert models["x"]["training"] == MODELS["crnn"]["training"] | {"epochs": 7}
    assert isinstance(models["x"]["training"]["learning_rate"], float)
    assert isinstance(models["x"]["training"]["epochs"], int)
    assert models["y"]["parameters"] == {"C": 100.0, "gamma": 0.0025, "kernel": "1e2"}


def test_ablation_variants_change_one_setting() -> None:
    """poster_net_same_recipe is the poster's network with the training of the causal one."""
    ablation = read_yaml(ROOT / "config/ablation.yaml")
    causal = MODELS[ablation["reference"]]
    settings = {**causal["parameters"], **causal["training"]}
    for name in set(ablation["models"]) - {ablation["reference"], "poster_net_same_recipe"}:
        entry = MODELS[name]
        own = {**entry["parameters"], **entry["training"]}
        changed = {key for key in own if own[key] != settings.get(key)}
        assert own.keys() >= settings.keys() and entry["network"] == causal["network"]
        wider = name == "wide" and changed == {"channels", "features", "hidden"}
        assert len(changed) == 1 or wider, name
    frequency, poster = MODELS["poster_net_same_recipe"], MODELS["crnn"]
    assert frequency["training"] == causal["training"]
    assert all(frequency[key] == poster[key] for key in ("network", "parameters"))
    # This is where a data set overrides training parameters.
    demo = read_models(ROOT / "config/models.yaml", DATASETS["demo"]["training"])
    assert demo["poster_net_same_recipe"]["training"] == demo["causal_crnn"]["training"]


@pytest.mark.parametrize("name", ["http.client.Clients", "json.JSONDecoder", "zlib.Any", "numpy.A"])
def test_read_models_checks_estimator_where_module_allows(path: Path, name: str) -> None:
    """A compiled module does not list its names, and one with `__getattr__` may have any."""
    entry = f"x: {{like: svm, title: x, estimator: {name}}}"
    if name == "http.client.Clients":
        with pytest.raises(SongNetError, match="cannot be found"):
            with_models(path, entry)
    else:
        assert with_models(path, entry)["x"]["estimator"] == name


@pytest.mark.parametrize(
    ("given", "typed"),
    [
        ({"seeds": ["1", "2"]}, {"seeds": [1, 2]}),
        ({"seeds": "[1, 2]"}, {"seeds": [1, 2]}),
        ({"seeds": [1.0]}, {"seeds": [1]}),
        ({"tracks_per_genre": "1e2"}, {"tracks_per_genre": 100}),
        ({"evaluation": {"confidence": "9e-1"}}, {"evaluation": {"confidence": 0.9}}),
        ({"spectrogram": {"n_mels": "64"}}, {"spectrogram": {"n_mels": 64}}),
        ({"spectrogram": "{n_mels: 64}"}, {"spectrogram": {"n_mels": 64}}),
        ({"tracking": {"live": "false"}}, {"tracking": {"live": False}}),
        ({"tracking": {"experiment": "12"}}, {"tracking": {"experiment": "12"}}),
        ({"reference": "null", "archives": "~", "genres": "null", "tracks_per_genre": "null"}, {}),
        ({"seeds": "3"}, {"seeds": [3]}),
        ({"seeds": 3, "models": "svm"}, {"seeds": [3], "models": ["svm"]}),
        ({"protocols": "artist"}, {"protocols": ["artist"]}),
        ({"excerpt_seconds": 5}, {"excerpt_seconds": [5.0]}),
        ({"tracking": {"experiment": "null"}}, {}),
    ],
)
def test_check_converts_text_of_command_line(given: dict[str, Any], typed: dict[str, Any]) -> None:
    expected = {
        key: value | typed.get(key, {}) if isinstance(value, dict) else typed.get(key, value)
        for key, value in checked().items()
    }
    assert repr(checked(**given)) == repr(expected)


def test_read_yaml_merges_anchors(path: Path) -> None:
    path.write_text("a: &a {epochs: 3, ema_decay: 0.2}\nb: {<<: *a, epochs: 4}\n")
    assert read_yaml(path)["b"] == {"epochs": 4, "ema_decay": 0.2}


def test_check_sorts_genres_and_excerpt_seconds() -> None:
    assert checked(genres=["Rock", "Folk"])["genres"] == ["Folk", "Rock"]
    every = DATASETS["fma_small"]["genres"]
    assert checked(dataset="fma_small", genres=every) == checked(dataset="fma_small")
    assert checked(excerpt_seconds=[5, 1, 30])["excerpt_seconds"] == [1, 5, 30]
    assert checked(dataset="fma_medium", genres=["Jazz", "Old-Time / Historic"])["genres"]


def test_read_models_resolves_like(path: Path) -> None:
    path.write_text(
        "a: {title: A, training: {epochs: 3, ema_decay: 0.2}}\n"
        "b: {like: a, title: B, training: {ema_decay: 0}, on_request: true}\n"
    )
    models = read_models(path)
    assert models["a"] == {"title": "A", "training": {"epochs": 3, "ema_decay": 0.2}}
    assert models["b"]["training"] == {"epochs": 3, "ema_decay": 0} and models["b"]["title"] == "B"
    # A data set's training changes both configurations, but not the difference between them.
    models = read_models(path, {"epochs": 1, "ema_decay": 0.5})
    assert models["a"]["training"] == {"epochs": 1, "ema_decay": 0.5}
    assert models["b"]["training"] == {"epochs": 1, "ema_decay": 0}


def test_conda_environment_equals_lock_file() -> None:
    pip = read_yaml(ROOT / "envs/songnet.yaml")["dependencies"][-1]["pip"]
    # Without environment markers, since tests may need a package on more platforms.
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    assert {line.split(" ;")[0] for line in pip} < {line.split(" ;")[0] for line in lock}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {re.split(r"[\[=]", line)[0] for line in pip}

    def of(requirements: list[str]) -> set[str]:
        return {re.split(r"[^\w-]", line)[0].lower() for line in requirements}

    assert of(project["project"]["dependencies"]) <= names
    assert not names & {"mypy", "playwright", "pytest", "ruff"}
