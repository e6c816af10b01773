"""Configuration: one check of everything that a user can write, before any job runs."""

from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from songnet.archives import open_zip
from songnet.errors import SongNetError
from songnet.files import digest
from songnet.signatures import config_of, fields, is_defined

Table = dict[str, Any]
# Protocols: the one that says most about new music comes first.
FAIREST = ("artist", "official", "random")
TOP_GENRES = range(16)  # FMA has so many
PUBLISHED_NOTE = (
    "The baselines' features are those of features.csv, which FMA computed on untrimmed tracks, "
    "not on the 30 s clips."
)
TASTE_SHARD = 25  # clips a job, so that its start costs less than they do


def read_yaml(path: str | Path) -> Table:
    """Read a YAML file that holds one table."""
    try:
        table = yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise SongNetError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise SongNetError(f"{path}: not YAML: {error}") from None
    if not isinstance(table, dict):
        raise SongNetError(f"{path}: expected keys and values, found {type(table).__name__}")
    return table


def read_models(path: str | Path) -> Table:
    """Read models.yaml; an entry with ``like`` is another entry with some values changed.

    Raises:
        SongNetError: ``like`` names no earlier entry.
    """
    models: Table = {}
    for name, entry in read_yaml(path).items():
        like = entry.pop("like", None) if isinstance(entry, dict) else None
        if like is not None and like not in models:
            raise SongNetError(f"{path}: {name}: like: {like!r} is no earlier entry")
        models[name] = variant(models[like], entry) if like else entry
    return models


def variant(model: Table, changes: Table) -> Table:
    """Repeat a model but for some keys; a changed setting then counts for few tracks too."""
    base = deepcopy(model)
    few = _table(base.get("few_tracks"))
    for part in ("parameters", "training"):
        for key in _table(changes.get(part)):
            _table(few.get(part)).pop(key, None)
    return _merged(base, changes)


def _table(value: Any) -> Table:
    """Return a table as it is; what is none counts as empty, and `check_models` names it."""
    return value if isinstance(value, dict) else {}


def _merged(base: Table, changes: Table) -> Table:
    merged = deepcopy(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def check(config: Table, schema: Table, datasets: Table, models: Table) -> Table:
    """Check a configuration and fill in its defaults.

    Args:
        config: what the user gave, from config.yaml and the command line.
        schema: workflow/schemas/config.schema.yaml.
        datasets: config/datasets.yaml.
        models: config/models.yaml.

    Returns:
        A complete copy.

    Raises:
        SongNetError: a key is unknown, a value is not allowed, or two keys contradict.
    """
    config = _typed(config, schema)
    _validate(config, schema, "config key")
    _fill_defaults(config, schema)
    _one_of("dataset", [config["dataset"]], datasets)
    _one_of("models", config["models"] or [], models)
    shares = config["split"]
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise SongNetError(f"config key split: the shares {shares} do not sum to 1")
    if config["clips"]["min_seconds"] > config["clips"]["clip_seconds"]:
        raise SongNetError("config key clips: min_seconds is larger than clip_seconds")
    if config["mel"]["hop_length"] > config["mel"]["n_fft"]:
        raise SongNetError("config key mel: hop_length is larger than n_fft")
    dataset = datasets[config["dataset"]]
    if dataset["source"] == "mels" or not dataset.get("clips", True):
        _check_unused(config, ["mel", "clips"], schema)
    _check_archives(config, dataset)
    return config


def _check_unused(config: Table, keys: list[str], schema: Table) -> None:
    defaults: Table = {}
    _fill_defaults(defaults, schema)
    for key in keys:
        if config[key] != defaults[key]:
            raise SongNetError(
                f"config key {key}: dataset={config['dataset']} decodes no clips, so only the "
                f"default, {defaults[key]}, is allowed"
            )


def _typed(value: Any, rule: Table) -> Any:
    """Copy a value; text becomes a number, a truth value or null where the schema wants one.

    Snakemake reads what stands inside brackets on its command line, ``seeds=[1,2]``, as text.
    """
    if isinstance(value, dict):
        properties = rule.get("properties", {})
        return {key: _typed(item, properties.get(key, {})) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed(item, rule.get("items", {})) for item in value]
    if isinstance(value, str) and "type" in rule and "string" not in rule["type"]:
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError:  # it stays text, and the schema names the key
            return value
    return value


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
    raise SongNetError(f"{what} {key or 'config'}: {error.message}")


def _known_keys(table: Table, allowed: Iterable[str], what: str, key: str) -> None:
    unknown = sorted(set(table) - set(allowed), key=str)
    if unknown:
        inside = f" in {key}" if key else ""
        names = ", ".join(allowed)
        raise SongNetError(f"{what} {unknown[0]}{inside} is unknown (allowed: {names})")


def check_models(models: Table, schema: Table) -> None:
    """Check models.yaml, as far as that needs neither torch nor scikit-learn.

    Args:
        models: from `read_models`.
        schema: of models.yaml.

    Raises:
        SongNetError: an entry lacks a key, has an unknown one, or names what does not exist.
    """
    what = "models.yaml:"
    _validate(models, schema, what)
    for name, model in models.items():
        for member in model.get("members", []):
            if models.get(member, {}).get("family") not in ("baseline", "crnn"):
                raise SongNetError(f"{what} {name}.members: {member!r} is no baseline and no crnn")
        key = {"baseline": "estimator", "crnn": "network"}.get(model["family"])
        if key and not is_defined(model[key]):
            raise SongNetError(f"{what} {name}.{key}: {model[key]!r} cannot be found")
        if model["family"] == "crnn":
            _check_fields(name, model)


def _check_fields(name: str, model: Table) -> None:
    """Check the names of a network's settings against the dataclasses that they fill."""
    what = "models.yaml:"
    known = {"training": fields("songnet.training.TrainingConfig")}
    if config := config_of(model["network"]):
        of_data = fields("songnet.networks.NetworkConfig")
        known["parameters"] = [field for field in fields(config) if field not in of_data]
    few = model.get("few_tracks") or {}
    for part, allowed in known.items():
        _known_keys(model[part], allowed, what, f"{name}.{part}")
        _known_keys(few.get(part, {}), allowed, what, f"{name}.few_tracks.{part}")


def _fill_defaults(config: Table, schema: Table) -> None:
    for key, rule in schema["properties"].items():
        if key not in config:
            config[key] = deepcopy(rule["default"])
        if rule["type"] == "object":
            _fill_defaults(config[key], rule)


def _one_of(key: str, names: list[str], table: Table) -> None:
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


def archive_names(dataset: Table) -> list[str]:
    """Names (or patterns) of the archives of a data set: metadata, then clips if it has any."""
    if not dataset.get("clips", True):
        return ["fma_metadata.zip"]
    clips = "mels-*.npz" if dataset["source"] == "mels" else f"fma_{dataset['subset']}.zip"
    return ["fma_metadata.zip", clips]


def selected_models(config: Table, dataset: Table, models: Table) -> Table:
    """Return the entries of models.yaml that a run trains.

    Models that the data set cannot feed are left out when ``models`` is null and refused when
    named, and so are fusions of models that are not selected.
    """
    lacks = {name: _lacks(name, models, dataset) for name in models}
    wanted = config["models"] or [
        name for name, model in models.items() if not lacks[name] and not model.get("on_request")
    ]
    for name in wanted:
        if lacks[name]:
            raise SongNetError(
                f"config key models: {name!r} needs {lacks[name]}, which dataset="
                f"{config['dataset']} cannot give"
            )
        for member in models[name].get("members", []):
            if member not in wanted:
                raise SongNetError(f"config key models: {name!r} needs {member!r} in the list")
    if config.get("reference") not in (None, *wanted):
        raise SongNetError(
            f"config key reference: {config['reference']!r} is not among the models of this run "
            f"({', '.join(wanted)})"
        )
    return {name: models[name] for name in wanted}


def _lacks(name: str, models: Table, dataset: Table) -> str:
    """What a model needs and a data set lacks; empty if nothing."""
    model = models[name]
    for member in model.get("members", []):
        if lack := _lacks(member, models, dataset):
            return lack
    if model["family"] == "crnn" and not dataset.get("clips", True):
        return "clips"
    if dataset["features"] == "mels" and model.get("features") == "all":
        return "the 518 features"
    if not dataset.get("metadata", True) and model.get("parameters", {}).get("metadata"):
        return "duration, bit rate or year of release"
    return ""


def is_sampled(config: Table, dataset: Table) -> bool:
    """Whether single clips are fetched out of remote archives."""
    fetched = dataset["source"] == "download" and config["archives"] is None
    return fetched and config["tracks_per_genre"] is not None and dataset.get("clips", True)


def dataset_note(config: Table, dataset: Table, features: str) -> str:
    """Return what goes with every figure.

    Args:
        config: from `check`.
        dataset: entry of datasets.yaml.
        features: from `features_source`.
    """
    notes = []
    if config["tracks_per_genre"] is not None:
        few = f"{config['tracks_per_genre']} tracks of each genre"
        notes.append(f"A taste: {few}, too few for figures to quote.")
    if is_sampled(config, dataset):
        notes.append("The baselines' features were computed here, on the 30 s clips.")
    elif features == "published":
        notes.append(PUBLISHED_NOTE)
    return " ".join([*notes, dataset["note"]]).strip()


def shard_count(config: Table, dataset: Table) -> int:
    """Return the number of jobs that share the clips: fewer for a taste."""
    most: int = dataset["shards"]
    if config["tracks_per_genre"] is None:
        return most
    genres = config["genres"] or dataset["genres"] or TOP_GENRES
    return min(most, -(-config["tracks_per_genre"] * len(genres) // TASTE_SHARD))


def archive_paths(config: Table, dataset: Table) -> list[str]:
    """Paths of the archives of a data set: metadata, then clips."""
    if config["archives"] is not None:
        folder = Path(config["archives"])
        return [str(path) for name in archive_names(dataset) for path in sorted(folder.glob(name))]
    folder = Path("resources", "demo" if dataset["source"] == "synthesis" else "fma")
    if is_sampled(config, dataset):
        what = [dataset["subset"], config["genres"] or dataset["genres"]]
        folder /= f"sample-{config['tracks_per_genre']}-{digest(what)[:6]}"
    return [str(folder / name) for name in archive_names(dataset)]


def archive_dates(config: Table, dataset: Table) -> list[list[int]] | None:
    """Size and date of each archive of one's own; None where SongNet fetches or makes them.

    An archive that is replaced by an older file is another one too, but not newer than what was
    made of the first.
    """
    if config["archives"] is None:
        return None
    files = [Path(path).stat() for path in archive_paths(config, dataset)]
    return [[file.st_size, file.st_mtime_ns] for file in files]


def features_source(config: Table, dataset: Table) -> str:
    """Where the baselines' features come from: published, computed or mels.

    Archives of one's own often lack features.csv; the features are computed then.
    """
    kind: str = dataset["features"]
    if is_sampled(config, dataset):
        return "computed"
    if kind == "published" and dataset["source"] == "archives":
        with open_zip(archive_paths(config, dataset)[0]) as archive:
            if "fma_metadata/features.csv" not in archive.namelist():
                return "computed"
    return kind


def feature_columns(models: Table) -> str:
    """Which of the published features the selected models need: mfcc or all."""
    kinds = {entry.get("features", "mfcc") for entry in models.values()}
    return "all" if "all" in kinds else "mfcc"


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU, asked without torch, which takes seconds to load."""
    return Path("/proc/driver/nvidia/gpus").exists()
