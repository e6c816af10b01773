"""What a checked configuration means for the plan: models, archives, number of jobs, notes.

Nothing here loads pandas or torch, since every start of the workflow asks it.
"""

from pathlib import Path
from typing import Any

from songnet.data.archives import open_zip
from songnet.errors import SongNetError
from songnet.io import digest
from songnet.models.registry import FAMILIES

Table = dict[str, Any]
TOP_GENRES = (  # FMA's
    "Blues", "Classical", "Country", "Easy Listening", "Electronic", "Experimental", "Folk",
    "Hip-Hop", "Instrumental", "International", "Jazz", "Old-Time / Historic", "Pop", "Rock",
    "Soul-RnB", "Spoken",
)  # fmt: skip
SHARD = range(25, 800)  # clips a job: more than its start costs, and no more than memory holds


def selected_models(config: Table, dataset: Table, models: Table) -> Table:
    """Return the entries of models.yaml that a run trains.

    Models that the data set cannot feed are left out when ``models`` is null and refused when
    named, and so are fusions of models that are not selected.

    Raises:
        SongNetError: ``models`` names what is refused or unknown, ``reference`` what is not there.
    """
    for name in config["models"] or []:
        if name not in models:
            raise SongNetError(
                f"config key models: {name!r} is not known (allowed: {', '.join(models)}"
                + (f"; a list is written 'models=[{name}]')" if "," in name else ")")
            )
    lacks = {name: _lacks(name, models, config, dataset) for name in models}
    wanted = config["models"] or _wanted(models, lacks)
    for name in wanted:
        if lacks[name]:
            raise SongNetError(
                f"config key models: {name!r} needs {lacks[name]}, which dataset="
                f"{config['dataset']} cannot give"
            )
        for member in models[name].get("members", []):
            if member not in wanted:
                raise SongNetError(f"config key models: {name!r} needs {member!r} in the list")
    if config["reference"] not in (None, *wanted):
        raise SongNetError(
            f"config key reference: {config['reference']!r} is not among the models of this run "
            f"({', '.join(wanted)})"
        )
    return {name: models[name] for name in wanted}


def _wanted(models: Table, lacks: dict[str, str]) -> list[str]:
    """Models of a run that names none."""
    wanted = [
        name for name, model in models.items() if not lacks[name] and not model.get("on_request")
    ]
    return [name for name in wanted if set(models[name].get("members", [])) <= set(wanted)]


def _lacks(name: str, models: Table, config: Table, dataset: Table) -> str:
    """What a model needs and a data set lacks; empty if nothing."""
    model = models[name]
    for member in model.get("members", []):
        if lack := _lacks(member, models, config, dataset):
            return lack
    if FAMILIES[model["family"]].features == "spectrograms" and not dataset["clips"]:
        return "clips"
    few = dataset["features"] == "mels" or config["features"] not in (None, "computed", "published")
    if few and model.get("features") == "all":
        return "the 518 features"
    if not dataset["metadata"] and model.get("parameters", {}).get("metadata"):
        return "duration, bit rate or year of release"
    return ""


def clip_kind(dataset: Table) -> str:
    """Where the clips of a data set come from: a name of `songnet.data.clips.SOURCES`."""
    source: str = dataset["source"]
    return source if source in ("mels", "folder") else "fma_zip"


def is_own(config: Table, dataset: Table) -> bool:
    """Whether the music is there already: it can be looked at before any job runs."""
    return config["archives"] is not None or dataset["source"] == "folder"


def songs_file(config: Table) -> str:
    """Path of the list of a folder's songs."""
    return f"results/{config['dataset']}/songs.parquet"


def feature_files(config: Table) -> list[str]:
    """Path of the table of features that the configuration names, if it names one."""
    given = config["features"]
    return [] if given in (None, "computed", "published") else [local_path(given)]


def local_path(path: str) -> str:
    """One path however it is written: another spelling must not rerun everything."""
    found = Path(path).resolve()
    if found.is_relative_to(Path.cwd()):
        found = found.relative_to(Path.cwd())
    return str(found)


def is_sampled(config: Table, dataset: Table) -> bool:
    """Whether single clips are fetched out of remote archives."""
    fetched = dataset["source"] == "download" and config["archives"] is None
    return fetched and config["tracks_per_genre"] is not None and dataset["clips"]


def archive_names(dataset: Table) -> list[str]:
    """Names (or patterns) of the archives of a data set: metadata, then clips if it has any."""
    if not dataset["clips"]:
        return ["fma_metadata.zip"]
    clips = "mels-*.npz" if dataset["source"] == "mels" else f"fma_{dataset['subset']}.zip"
    return ["fma_metadata.zip", clips]


def archive_paths(config: Table, dataset: Table) -> list[str]:
    """Paths of the files of a data set: its table of tracks, then what holds the clips."""
    if dataset["source"] == "folder":  # one file has both
        return [songs_file(config)] * 2
    if config["archives"] is not None:
        folder = Path(local_path(config["archives"]))
        return [str(path) for name in archive_names(dataset) for path in sorted(folder.glob(name))]
    folder = Path("resources", "demo" if dataset["source"] == "synthesis" else "fma")
    if is_sampled(config, dataset):
        what = [dataset["subset"], config["genres"] or dataset["genres"]]
        folder /= f"sample-{config['tracks_per_genre']}-{digest(what)[:6]}"
    return [str(folder / name) for name in archive_names(dataset)]


def archive_dates(config: Table, dataset: Table) -> list[list[int]] | None:
    """Size and date of each archive of one's own; None where SongNet fetches or makes files.

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

    Returns:
        published, computed, mels, or table for one that the configuration names.

    Raises:
        SongNetError: there are none, or not those that the configuration asks for.
    """
    if feature_files(config):
        return "table"
    kind: str = config["features"] or dataset["features"]
    if kind == "computed":
        return kind
    if is_sampled(config, dataset):
        if config["features"]:
            raise SongNetError("config key features: a sample has no published features")
        return "computed"
    if kind == "published" and config["archives"] is not None:
        path = archive_paths(config, dataset)[0]
        with open_zip(path) as archive:
            is_there = "fma_metadata/features.csv" in archive.namelist()
        if not is_there and (config["features"] or not can_compute(dataset)):
            raise SongNetError(
                f"{path}: has no features.csv, and dataset={config['dataset']} "
                + (
                    "is told to use it"
                    if can_compute(dataset)
                    else "has no clips to compute features of"
                )
            )
        return "published" if is_there else "computed"
    return kind


def can_compute(dataset: Table) -> bool:
    """Whether a data set has audio."""
    return bool(dataset["clips"]) and dataset["source"] != "mels"


def shard_count(config: Table, dataset: Table, tracks: int | None = None) -> int:
    """Return the number of jobs that share the clips: fewer for few tracks.

    Args:
        config: from `check`.
        dataset: entry of datasets.yaml.
        tracks: number of them, where it is known before any job runs.
    """
    most: int = dataset["shards"]
    if tracks is not None:
        return max(min(most, _in_parts(tracks, SHARD.start)), _in_parts(tracks, SHARD.stop))
    if config["tracks_per_genre"] is None:
        return most
    genres = config["genres"] or dataset["genres"] or TOP_GENRES
    return min(most, _in_parts(config["tracks_per_genre"] * len(genres), SHARD.start))


def _in_parts(count: int, size: int) -> int:
    return -(-count // size)


def usable_protocols(protocols: list[str], problems: Table) -> list[str]:
    """Return the protocols that can divide the tracks.

    Args:
        protocols: that the configuration names.
        problems: what protocols lack.

    Raises:
        SongNetError: none is left.
    """
    usable = [protocol for protocol in protocols if protocol not in problems]
    if not usable:
        reasons = "; ".join(f"{name}: {problems[name]}" for name in protocols)
        raise SongNetError(f"config key protocols: {reasons}; take protocols=random")
    return usable


def check_library(config: Table) -> None:
    """Check that a library is named whose files can be tagged.

    Raises:
        SongNetError: it is not, or its folders or the model are not there.
    """
    if config["library"] is None:
        raise SongNetError(
            "config key library: name folders: snakemake library --config library=DIR"
        )
    for path in config["library"]:
        if not Path(path).exists():
            raise SongNetError(f"config key library: {path}: no such file or folder")
    model = tagging_model(config)
    if not model:
        raise SongNetError(
            "config key tagging.model: no network below results/: train one with `make run`, or "
            "name one"
        )
    if not Path(model).is_file():
        raise SongNetError(f"config key tagging.model: {model}: no such file")


def tagging_model(config: Table) -> str:
    """File of the network that tags a library: the newest of real music; empty where none is."""
    if config["tagging"]["model"] is not None:
        return local_path(config["tagging"]["model"])
    found = sorted(Path("results").glob("*/best.safetensors"), key=lambda p: -p.stat().st_mtime)
    return str(min(found, key=lambda path: path.parent.name == "demo", default=""))


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU, asked without torch, which takes seconds to load."""
    return Path("/proc/driver/nvidia/gpus").exists()
