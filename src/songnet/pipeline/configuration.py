"""Configuration: one check of everything that a user can write, before any job runs."""

import math
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from songnet.errors import SongNetError
from songnet.models.registry import FAMILIES, class_path
from songnet.pipeline.plan import TOP_GENRES, archive_names
from songnet.pipeline.signatures import config_of, fields, is_defined

Table = dict[str, Any]


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the program with a user's error on one line, not in a traceback through a Snakefile."""
    try:
        yield
    except SongNetError as error:
        sys.exit(f"songnet: error: {error}")


class _Loader(yaml.SafeLoader):
    """Reads YAML 1.2 where PyYAML does not: 1e-3 is a number, a key that stands twice an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: list[Any] = []
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # `<<`: PyYAML knows what to do
                continue
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key} stands twice", key_node.start_mark
                )
            keys.append(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def read_yaml(path: str | Path) -> Table:
    """Read a YAML file that holds one table.

    Raises:
        SongNetError: there is none, or it is not YAML, not UTF-8, or has a key twice.
    """
    try:
        with Path(path).open("rb") as file:
            table = yaml.load(file, _Loader)
    except FileNotFoundError:
        raise SongNetError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise SongNetError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(table, dict):
        raise SongNetError(f"{path}: expected keys and values, found {type(table).__name__}")
    return table


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
        if like is not None and not (isinstance(like, str) and like in models):
            raise SongNetError(f"{path}: {name}: like: {like!r} is no earlier entry")
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


def check(config: Table, schema: Table, datasets: Table) -> Table:
    """Check a configuration and fill in its defaults; of models, `plan.selected_models` knows.

    Args:
        config: what the user gave, from config.yaml and the command line.
        schema: workflow/schemas/config.schema.yaml.
        datasets: config/datasets.yaml.

    Returns:
        A complete copy.

    Raises:
        SongNetError: a key is unknown, a value is not allowed, or two keys contradict.
    """
    config = _typed(config, schema)
    _validate(config, schema, "config key")
    _fill_defaults(config, schema)
    _one_of("dataset", [config["dataset"]], datasets)
    shares = config["split"]
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise SongNetError(f"config key split: the shares {shares} do not sum to 1")
    if config["clips"]["min_seconds"] > config["clips"]["clip_seconds"]:
        raise SongNetError("config key clips: min_seconds is larger than clip_seconds")
    if config["mel"]["hop_length"] > config["mel"]["n_fft"]:
        raise SongNetError("config key mel: hop_length is larger than n_fft")
    dataset = datasets[config["dataset"]]
    known = dataset["genres"] or (TOP_GENRES if dataset["source"] == "download" else None)
    if known:  # what others hold only the archives tell
        _one_of("genres", config["genres"] or [], known)
    if dataset["source"] == "mels":
        _check_unused(config, ["mel", "clips.clip_seconds"], schema)
    elif not dataset["clips"]:
        _check_unused(config, ["mel", "clips"], schema)
    _check_archives(config, dataset)
    # In another order, or all of them named, they are the same data set.
    if config["genres"]:
        config["genres"].sort()
    if config["genres"] == sorted(dataset["genres"] or []):
        config["genres"] = None
    config["heard_seconds"].sort()
    return config


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


def _check_unused(config: Table, keys: list[str], schema: Table) -> None:
    defaults: Table = {}
    _fill_defaults(defaults, schema)
    for key in keys:
        given, default = (reduce(getitem, key.split("."), table) for table in (config, defaults))
        if given != default:
            raise SongNetError(
                f"config key {key}: dataset={config['dataset']} decodes no clips, so only the "
                f"default, {default}, is allowed"
            )


def _typed(value: Any, rule: Table) -> Any:
    """Copy a value; text becomes a number, a truth value or null where the schema wants one.

    Snakemake reads what stands inside brackets on its command line, ``seeds=[1,2]``, as text, and
    ``1e-3`` anywhere. What is infinite or not a number becomes text, which the schema refuses by
    its key.
    """
    if isinstance(value, dict):
        rules, other = rule.get("properties", {}), rule.get("additionalProperties") or {}
        return {key: _typed(item, rules.get(key, other)) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed(item, rule.get("items", {})) for item in value]
    if "type" not in rule or "string" in rule["type"]:
        # Snakemake's command line has no other word for it.
        return None if value in ("null", "~", "") and "null" in rule.get("type", ()) else value
    if isinstance(value, str):
        try:
            value = yaml.load(value, _Loader)
        except yaml.YAMLError:  # it stays text, and the schema names the key
            return value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # JSON takes 4.0 for a whole number, a range of Python does not.
    whole = "integer" in rule["type"] and isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def _validate(value: Table, schema: Table, what: str) -> None:
    """Raise a SongNetError that begins with ``what`` where a value is not as its schema says."""
    error = best_match(Draft202012Validator(schema).iter_errors(value))
    if error is None:
        return
    key = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        _known_keys(error.instance, error.schema["properties"], what, key)  # type: ignore
    if error.validator == "enum":
        allowed = ", ".join(str(value) for value in error.validator_value)  # type: ignore[union-attr]
        raise SongNetError(f"{what} {key}: {error.instance!r} is not allowed (allowed: {allowed})")
    if error.validator == "not":  # the schema's word for a key that another one rules out
        raise SongNetError(f"{what} {key} means nothing here")
    raise SongNetError(f"{what} {key or 'config'}: {error.message}")


def _known_keys(table: Table, allowed: Iterable[str], what: str, key: str) -> None:
    unknown = sorted(set(table) - set(allowed), key=str)
    if unknown:
        inside = f" in {key}" if key else ""
        names = ", ".join(allowed)
        raise SongNetError(f"{what} {unknown[0]}{inside} is unknown (allowed: {names})")


def check_models(models: Table, schema: Table) -> Table:
    """Check models.yaml, as far as that needs neither torch nor scikit-learn.

    Args:
        models: from `read_models`.
        schema: of models.yaml.

    Returns:
        A copy in which numbers are numbers.

    Raises:
        SongNetError: an entry lacks a key, has an unknown one, or names what does not exist.
    """
    what = "models.yaml:"
    _check_names(models, what)
    models = _typed(models, schema)
    _validate(models, schema, what)
    for name, model in models.items():
        for member in model.get("members", []):
            family = FAMILIES.get(models.get(member, {}).get("family"))
            if family is None or not family.predictor:
                raise SongNetError(f"{what} {name}.members: {member!r} is not a trained model")
        family = FAMILIES[model["family"]]
        if family.predictor and not is_defined(class_path(model)):
            raise SongNetError(f"{what} {name}.{family.key}: {model[family.key]!r} cannot be found")
        if family.key == "network":
            _check_parameters(name, model)
    titles: dict[str, str] = {}  # tables and figures show nothing else of a model
    for name, model in models.items():
        if (other := titles.setdefault(model["title"], name)) != name:
            raise SongNetError(f"{what} {name}.title: {other} has the same, {model['title']!r}")
    return models


def _check_parameters(name: str, model: Table) -> None:
    """Check the names of a network's parameters against the dataclass that they fill."""
    config = config_of(class_path(model))
    if config is None:
        return
    of_data = fields("songnet.models.base.NetworkConfig")
    allowed = [field for field in fields(config) if field not in of_data]
    _known_keys(model["parameters"], allowed, "models.yaml:", f"{name}.parameters")


def check_datasets(datasets: Table, schema: Table, models_schema: Table) -> Table:
    """Check datasets.yaml.

    Args:
        datasets: its content.
        schema: of datasets.yaml.
        models_schema: of models.yaml; a data set's ``training`` is checked like an entry's.

    Returns:
        A complete copy in which numbers are numbers.

    Raises:
        SongNetError: an entry lacks a key, has an unknown one or a value that is not allowed.
    """
    what = "datasets.yaml:"
    _check_names(datasets, what)
    # A reference between files would need a registry of schemas.
    schema = deepcopy(schema)
    schema["additionalProperties"]["properties"]["training"] |= models_schema[
        "additionalProperties"
    ]["properties"]["training"]
    datasets = _typed(datasets, schema)
    _validate(datasets, schema, what)
    for name, dataset in datasets.items():
        _fill_defaults(dataset, schema["additionalProperties"])
        if dataset["source"] == "download":
            for archive in archive_names(dataset):
                if archive not in dataset["files"]:
                    raise SongNetError(f"{what} {name}.files: lacks the SHA-1 of {archive}")
    return datasets


def _check_names(table: Table, what: str) -> None:
    """Names of entries stand in paths and wildcards."""
    for name in table:
        if not re.fullmatch(r"[A-Za-z]\w*", str(name)):
            raise SongNetError(f"{what} {name}: a name has letters, digits and underscores only")
        if not isinstance(name, str):  # as yes, off and null are
            raise SongNetError(f"{what} {name}: YAML takes this name for no text; quote it")


def _fill_defaults(table: Table, schema: Table) -> None:
    """Give every key that has a default, and those of the tables inside, a value."""
    for key, rule in schema.get("properties", {}).items():
        if key not in table and "default" in rule:
            table[key] = deepcopy(rule["default"])
        if isinstance(table.get(key), dict):
            _fill_defaults(table[key], rule)


def _one_of(key: str, names: list[str], table: Iterable[str]) -> None:
    for name in names:
        if name not in table:
            raise SongNetError(
                f"config key {key}: {name!r} is not known (allowed: {', '.join(table)})"
            )


def _check_archives(config: Table, dataset: Table) -> None:
    folder = config["archives"]
    if folder is None and dataset["source"] not in ("archives", "mels"):
        return
    if dataset["source"] == "synthesis":
        raise SongNetError(f"config key archives: dataset={config['dataset']} makes its own")
    if folder is None:
        raise SongNetError(
            f"config key archives: dataset={config['dataset']} needs archives=DIR, a folder with "
            + " and ".join(archive_names(dataset))
        )
    for name in archive_names(dataset):
        if not list(Path(folder).glob(name)):
            raise SongNetError(f"config key archives: {Path(folder) / name}: no such file")
