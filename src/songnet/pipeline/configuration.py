"""Configuration: one check of everything that a user can write, before any job runs."""

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
    """End the program with a user's error on one line, not in a traceback through a Snakefile."""
    try:
        yield
    except SongNetError as error:
        sys.exit(f"songnet: error: {error}")


def check(config: Table, datasets: Table) -> Table:
    """Check a configuration and fill in its defaults; of models, `plan.selected_models` knows.

    Args:
        config: what the user gave, from config.yaml and the command line.
        datasets: from `check_datasets`.

    Returns:
        A complete copy.

    Raises:
        SongNetError: a key is unknown, a value is not allowed, or two keys contradict.
    """
    config = validated(Settings.model_validate, config, "config key ").model_dump()
    if abs(sum(config["split"].values()) - 1) > 1e-9:
        raise SongNetError(f"config key split: the shares {config['split']} do not sum to 1")
    if config["clips"]["min_seconds"] > config["clips"]["clip_seconds"]:
        raise SongNetError("config key clips: min_seconds is larger than clip_seconds")
    config["spectrogram"] = _spectrogram(config["spectrogram"])
    _one_of("dataset", [config["dataset"]], datasets)
    dataset = datasets[config["dataset"]]
    known = dataset["genres"] or (TOP_GENRES if dataset["source"] == "download" else None)
    if known and config["archives"] is None:  # what others hold only the archives tell
        _one_of("genres", config["genres"] or [], known)
    if dataset["source"] == "mels":
        _check_unused(config, ["spectrogram", "clips.clip_seconds"])
    elif not dataset["clips"]:
        _check_unused(config, ["spectrogram", "clips"])
    check_places(config, dataset)
    config["tables"] = _tables(dataset["tables"] | config["tables"])
    # In another order, or all of them named, they are the same data set.
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
    """Check that the files of tables are there."""
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
                f"config key {key}: dataset={config['dataset']} decodes no clips, so only the "
                f"default, {default}, is allowed"
            )


def check_no_braces(places: dict[str, str | None]) -> None:
    """Fail where a path has braces.

    Args:
        places: paths, by where they come from.

    Raises:
        SongNetError: Snakemake would take what is inside the braces for a wildcard.
    """
    for place, path in places.items():
        if path and set("{}") & set(path):
            raise SongNetError(
                f"{place}: {path} has braces, which Snakemake takes for wildcards: rename it"
            )


def read_models(path: str | Path, training: Table | None = None) -> Table:
    """Read models.yaml; an entry with ``like`` is another entry with some values changed.

    One of another ``network`` or ``estimator`` shares no parameters, which are that class's own.

    Args:
        path: of the file.
        training: of a data set; it goes before that of the networks, but not before what a
            variant changes, or the two would be one.

    Raises:
        SongNetError: ``like`` names no earlier entry.
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
    """Repeat a model but for some keys, also of the tables in it."""
    changed = deepcopy(model)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(changed.get(key), dict)
        changed[key] = _variant(changed[key], value) if both else value
    return changed


def check_models(models: Table) -> Table:
    """Check models.yaml, as far as that needs neither torch nor scikit-learn.

    Args:
        models: from `read_models`.

    Returns:
        A copy of what is given, without defaults.

    Raises:
        SongNetError: an entry lacks a key, has an unknown one, or names what does not exist.
    """
    checked: Table = {}
    for name, entry in _entries(MODEL, models, MODELS):
        model = checked[name] = entry.model_dump(exclude_unset=True)
        if "network" in model:
            known, where = keys_of(network_config(model["network"])), f"{MODELS}{name}.parameters."
            parameters = validated(known.model_validate, model["parameters"], where)
            model["parameters"] = parameters.model_dump(exclude_unset=True)
    titles: dict[str, str] = {}  # tables and figures show nothing else of a model
    for name, model in checked.items():
        for member in model.get("members", []):
            if member not in checked or not FAMILIES[checked[member]["family"]].predictor:
                raise SongNetError(f"{MODELS}{name}.members: {member!r} is not a trained model")
        if (other := titles.setdefault(model["title"], name)) != name:
            raise SongNetError(f"{MODELS}{name}.title: {other} has the same, {model['title']!r}")
    return checked


def check_encoders(encoders: Table) -> Table:
    """Check encoders.yaml.

    Returns:
        A complete copy; ``spectrogram`` describes what each encoder reads.

    Raises:
        SongNetError: an entry lacks a key, has an unknown one or a value that is not allowed.
    """
    checked: Table = {}
    for name, entry in _entries(ENCODER, encoders, ENCODERS):
        if name in (*FMA_FEATURES, "fma"):
            raise SongNetError(f"{ENCODERS}{name}: is the name of FMA's own features")
        encoder = checked[name] = entry.model_dump()
        given = encoder.get("spectrogram", {"kind": "log_mel"})
        encoder["spectrogram"] = _spectrogram(given, f"{ENCODERS}{name}.spectrogram")
    return checked


def check_datasets(datasets: Table) -> Table:
    """Check datasets.yaml.

    Returns:
        A complete copy; ``training`` holds only what is given.

    Raises:
        SongNetError: an entry lacks a key, has an unknown one or a value that is not allowed.
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
    """Validate the entries of a file; their names stand in paths and wildcards."""
    for name, entry in table.items():
        if not re.fullmatch(r"[A-Za-z]\w*", str(name)):
            raise SongNetError(f"{where}{name}: a name has letters, digits and underscores only")
        if not isinstance(name, str):  # as yes, off and null are
            raise SongNetError(f"{where}{name}: YAML takes this name for no text; quote it")
        yield name, validated(kind.validate_python, entry, f"{where}{name}.", tags=1)
