"""Validation of the whole configuration before any job runs."""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from songnet.errors import SongNetError
from songnet.features.spectrogram import SPECTROGRAMS, describe
from songnet.io import load_class
from songnet.models.registry import FAMILIES, network_config
from songnet.pipeline.places import check_places
from songnet.pipeline.plan import FMA_FEATURES, TOP_GENRES, archive_names, local_path
from songnet.pipeline.settings import DATASET, ENCODER, MODEL, Settings, keys_of
from songnet.pipeline.validation import validated
from songnet.pipeline.yaml_files import read_yaml

T = TypeVar("T")
Table = dict[str, Any]
MODELS, DATASETS, ENCODERS = "models.yaml: ", "datasets.yaml: ", "encoders.yaml: "
DEFAULT_SPECTROGRAM = "mel"


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Exit with a one-line message on a SongNetError, instead of a traceback."""
    try:
        yield
    except SongNetError as error:
        sys.exit(f"songnet: error: {error}")


def check(config: Table, datasets: Table) -> Table:
    """Check a configuration and fill in defaults; `plan.selected_models` checks the models.

    Args:
        config: values from config.yaml and the command line.
        datasets: from `check_datasets`.

    Returns:
        A complete copy.

    Raises:
        SongNetError: a key is unknown, a value is not allowed, or two keys contradict each other.
    """
    config = validated(Settings.model_validate, config, "config key ").model_dump()
    if abs(sum(config["split"].values()) - 1) > 1e-9:
        raise SongNetError(f"config key split: the fractions {config['split']} do not sum to 1")
    if config["clips"]["min_seconds"] > config["clips"]["clip_seconds"]:
        raise SongNetError("config key clips: min_seconds is larger than clip_seconds")
    config["spectrogram"] = _spectrogram(config["spectrogram"])
    _one_of("dataset", [config["dataset"]], datasets)
    dataset = datasets[config["dataset"]]
    known = dataset["genres"] or (TOP_GENRES if dataset["source"] == "download" else None)
    if known and config["archives"] is None:  # own archives may have other genres
        _one_of("genres", config["genres"] or [], known)
    if dataset["source"] == "mels":
        _check_unused(config, ["spectrogram", "clips.clip_seconds"])
    elif not dataset["clips"]:
        _check_unused(config, ["spectrogram", "clips"])
    check_places(config, dataset)
    config["tables"] = _tables(dataset["tables"] | config["tables"])
    # Neither the order of the genres nor naming all of them may cause a rerun.
    if config["genres"]:
        config["genres"].sort()
    if config["genres"] == sorted(dataset["genres"] or []):
        config["genres"] = None
    config["seeds"] = config["seeds"] or dataset["seeds"]
    config["excerpt_seconds"].sort()
    return config


def _spectrogram(given: Table, where: str = "config key spectrogram") -> Table:
    """Check the keys of a spectrogram's class and fill in its defaults."""
    values = dict(given)
    kind = values.pop("kind", DEFAULT_SPECTROGRAM)
    if kind not in SPECTROGRAMS:
        raise SongNetError(
            f"{where}.kind: {kind!r} is not known (allowed: {', '.join(SPECTROGRAMS)})"
        )
    found = load_class(SPECTROGRAMS[kind])
    keys = validated(keys_of(found).model_validate, values, f"{where}.")
    try:
        return describe(found(**keys.model_dump(exclude_unset=True)))
    except ValueError as error:
        raise SongNetError(f"{where}: {error}") from None


def _tables(tables: Table) -> Table:
    """Check that the files of the feature tables exist."""
    for name, table in tables.items():
        if not Path(table["path"]).is_file():
            raise SongNetError(f"config key tables.{name}: {table['path']}: no such file")
    return {name: table | {"path": local_path(table["path"])} for name, table in tables.items()}


def _one_of(key: str, names: list[str], table: Iterable[str]) -> None:
    for name in names:
        if name not in table:
            raise SongNetError(
                f"config key {key}: {name!r} is not known (allowed: {', '.join(table)})"
            )


def _check_unused(config: Table, keys: list[str]) -> None:
    defaults = Settings().model_dump() | {"spectrogram": _spectrogram({})}
    for key in keys:
        given, default = (reduce(getitem, key.split("."), table) for table in (config, defaults))
        if given != default:
            raise SongNetError(
                f"config key {key}: has no effect with dataset={config['dataset']}, which decodes "
                f"no clips; leave it at {default}"
            )


def check_no_braces(places: dict[str, str | None]) -> None:
    """Check that no path contains braces, which Snakemake would parse as a wildcard.

    Args:
        places: paths by their origin.

    Raises:
        SongNetError: a path contains braces.
    """
    for place, path in places.items():
        if path and set("{}") & set(path):
            raise SongNetError(
                f"{place}: {path} contains braces, which Snakemake reads as wildcards; rename it"
            )


def read_models(path: str | Path, training: Table | None = None) -> Table:
    """Read models.yaml and resolve ``like``, which copies an entry and changes some values.

    ``parameters`` are not copied if the entry changes ``network`` or ``estimator``, because they
    belong to the class.

    Args:
        path: path of models.yaml.
        training: the data set's overrides of ``training``. They apply to all networks, but not to
            values that a variant changes, or both would be the same model.

    Raises:
        SongNetError: ``like`` does not name an earlier entry.
    """
    models: Table = {}
    for name, entry in read_yaml(path).items():
        like = entry.pop("like", None) if isinstance(entry, dict) else None
        if like is not None and not (isinstance(like, str) and isinstance(models.get(like), dict)):
            raise SongNetError(f"{path}: {name}: like: {like!r} is not an earlier entry")
        if like:
            other = {"network", "estimator"} & set(entry)
            base = models[like] | ({"parameters": {}} if other else {})
            models[name] = _variant(base, entry)
        elif isinstance(entry, dict) and isinstance(entry.get("training"), dict):
            models[name] = _variant(entry, {"training": training or {}})
        else:
            models[name] = entry
    return models


def _variant(model: Table, changes: Table) -> Table:
    """Copy a model and apply changes, recursively in nested tables."""
    changed = deepcopy(model)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(changed.get(key), dict)
        changed[key] = _variant(changed[key], value) if both else value
    return changed


def check_models(models: Table) -> Table:
    """Check models.yaml as far as possible without torch and scikit-learn.

    Args:
        models: from `read_models`.

    Returns:
        A copy of the given values, without defaults.

    Raises:
        SongNetError: an entry lacks a key, has an unknown key or refers to something that does
            not exist.
    """
    checked: Table = {}
    for name, entry in _entries(MODEL, models, MODELS):
        model = checked[name] = entry.model_dump(exclude_unset=True)
        if "network" in model:
            known, where = keys_of(network_config(model["network"])), f"{MODELS}{name}.parameters."
            parameters = validated(known.model_validate, model["parameters"], where)
            model["parameters"] = parameters.model_dump(exclude_unset=True)
    titles: dict[str, str] = {}  # tables and figures identify a model by its title alone
    for name, model in checked.items():
        for member in model.get("members", []):
            if member not in checked or not FAMILIES[checked[member]["family"]].predictor:
                raise SongNetError(f"{MODELS}{name}.members: {member!r} is not a trained model")
        if (other := titles.setdefault(model["title"], name)) != name:
            raise SongNetError(f"{MODELS}{name}.title: {model['title']!r} is also that of {other}")
    return checked


def check_encoders(encoders: Table) -> Table:
    """Check encoders.yaml.

    Returns:
        A complete copy; ``spectrogram`` describes the input of each encoder.

    Raises:
        SongNetError: an entry lacks a key, or has an unknown key or an invalid value.
    """
    checked: Table = {}
    for name, entry in _entries(ENCODER, encoders, ENCODERS):
        if name in (*FMA_FEATURES, "fma"):
            raise SongNetError(f"{ENCODERS}{name}: this name is reserved for FMA's features")
        encoder = checked[name] = entry.model_dump()
        given = {"kind": "log_mel"} | encoder.get("spectrogram", {})
        encoder["spectrogram"] = _spectrogram(given, f"{ENCODERS}{name}.spectrogram")
    return checked


def check_datasets(datasets: Table) -> Table:
    """Check datasets.yaml.

    Returns:
        A complete copy, except that ``training`` has no defaults.

    Raises:
        SongNetError: an entry lacks a key, or has an unknown key or an invalid value.
    """
    checked: Table = {}
    for name, entry in _entries(DATASET, datasets, DATASETS):
        training = entry.training.model_dump(exclude_unset=True)
        dataset = checked[name] = entry.model_dump() | {"training": training}
        for archive in archive_names(dataset) if dataset["source"] == "download" else []:
            if archive not in dataset["files"]:
                raise SongNetError(f"{DATASETS}{name}.files: lacks the SHA-1 of {archive}")
    return checked


def _entries(kind: TypeAdapter[T], table: Table, where: str) -> Iterator[tuple[str, T]]:
    """Validate the entries of a file and their names, which are used in paths and wildcards."""
    for name, entry in table.items():
        if not re.fullmatch(r"[A-Za-z]\w*", str(name)):
            raise SongNetError(f"{where}{name}: a name must be letters, digits and underscores")
        if not isinstance(name, str):  # such as yes, off and null
            raise SongNetError(f"{where}{name}: YAML does not read this name as text; quote it")
        yield name, validated(kind.validate_python, entry, f"{where}{name}.", tags=1)
