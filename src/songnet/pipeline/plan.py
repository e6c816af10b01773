"""What a checked configuration means for the plan: models, archives, number of jobs, notes.

Nothing here loads pandas or torch, since every start of the workflow asks it.
"""

from pathlib import Path
from typing import Any

from songnet.data.archives import open_zip
from songnet.data.sources import SOURCES
from songnet.errors import SongNetError
from songnet.io import digest
from songnet.models.registry import FAMILIES

Table = dict[str, Any]
TOP_GENRES = (  # FMA's
    "Blues", "Classical", "Country", "Easy Listening", "Electronic", "Experimental", "Folk",
    "Hip-Hop", "Instrumental", "International", "Jazz", "Old-Time / Historic", "Pop", "Rock",
    "Soul-RnB", "Spoken",
)  # fmt: skip
PUBLISHED_NOTE = (
    "The baselines' features are those of features.csv, which FMA computed on untrimmed tracks, "
    "not on the 30 s clips."
)
FMA_FEATURES = ("mfcc", "all")  # what models read of features/fma.parquet
SAMPLE_SHARD = 25  # clips a job, so that its start costs less than they do


def selected_models(config: Table, dataset: Table, models: Table, encoders: Table) -> Table:
    """Return the entries of models.yaml that a run trains.

    Models that the data set cannot feed are left out when ``models`` is null and refused when
    named, and so are fusions of models that are not selected.

    Raises:
        SongNetError: ``models`` names what is refused or unknown, ``reference`` what is not there.
    """
    for name in config["models"] or []:
        if name not in models:
            raise SongNetError(
                f"config key models: {name!r} is not known (allowed: {', '.join(models)})"
            )
    if both := set(config["tables"]) & set(encoders):
        raise SongNetError(f"config key tables.{min(both)}: encoders.yaml has that name, too")
    read = {features_read(model) for model in models.values()}
    if unread := set(config["tables"]) - read:
        raise SongNetError(
            f"config key tables.{min(unread)}: no model reads it: give models.yaml an entry with "
            f"`features: {min(unread)}`"
        )
    given = [*FMA_FEATURES, *config["tables"], *encoders]
    lacks = {name: _lacks(name, models, dataset, given, encoders) for name in models}
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


def _lacks(name: str, models: Table, dataset: Table, features: list[str], encoders: Table) -> str:
    """What a model needs and a data set lacks; empty if nothing.

    Args:
        name: of the model.
        models: all entries.
        dataset: entry of datasets.yaml.
        features: names of features that models can read.
        encoders: entries of encoders.yaml, whose features are computed from audio.
    """
    model = models[name]
    for member in model.get("members", []):
        if lack := _lacks(member, models, dataset, features, encoders):
            return lack
    read = features_read(model) or features[0]
    if read not in features:
        return f"the table {read!r} (config key tables)"
    if read in encoders and not has_audio(dataset):
        return "audio"
    if FAMILIES[model["family"]].features == "spectrograms" and not dataset["clips"]:
        return "clips"
    if dataset["features"] == "mels" and model.get("features") == "all":
        return "the 518 features"
    if not dataset["metadata"] and model.get("parameters", {}).get("metadata"):
        return "duration, bit rate or year of release"
    return ""


def clip_kind(dataset: Table) -> str:
    """Where the clips of a data set come from: a name of `songnet.data.clips.SOURCES`."""
    return "mels" if dataset["source"] == "mels" else "fma_zip"


def has_audio(dataset: Table) -> bool:
    """Whether the clips of a data set can be listened to."""
    return bool(dataset["clips"]) and SOURCES[clip_kind(dataset)].has_audio


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
    """Paths of the archives of a data set: metadata, then clips."""
    if config["archives"] is not None:
        folder = Path(one_spelling(config["archives"]))
        return [str(path) for name in archive_names(dataset) for path in sorted(folder.glob(name))]
    folder = Path("resources", "demo" if dataset["source"] == "synthesis" else "fma")
    if is_sampled(config, dataset):
        what = [dataset["subset"], config["genres"] or dataset["genres"]]
        folder /= f"sample-{config['tracks_per_genre']}-{digest(what)[:6]}"
    return [str(folder / name) for name in archive_names(dataset)]


def archive_dates(config: Table, dataset: Table) -> list[list[int]] | None:
    """Size and date of each archive of one's own; None where SongNet fetches or makes them."""
    if config["archives"] is None:
        return None
    return file_dates(archive_paths(config, dataset))


def features_read(model: Table) -> str | None:
    """Name of the features that a model reads or, while it learns, is taught by."""
    found = model.get("encoder") or model.get("teacher") or model.get("features")
    return found and str(found)


def features_of(model: Table) -> str:
    """Name of the file below ``features/`` that a model reads: fma, or that of a table."""
    read = str(features_read(model))
    return "fma" if read in FMA_FEATURES else read


def model_note(name: str, models: Table, config: Table, encoders: Table) -> str:
    """Say whose features a model reads, or what it was pretrained on; empty for all others.

    Args:
        name: of the model; a fusion says what its members say.
        models: entries of models.yaml.
        config: from `check`.
        encoders: entries of encoders.yaml.
    """
    model = models[name]
    notes = [model_note(member, models, config, encoders) for member in model.get("members", [])]
    read = features_read(model)
    if read in encoders:
        pretrained = encoders[read]["pretrained"]
        taught = f"Taught by {encoders[read]['title']}, which was pretrained on {pretrained}."
        notes.append(taught if "teacher" in model else f"Pretrained on {pretrained}.")
    if table := config["tables"].get(read):
        known = table["note"] or "SongNet does not know what computed them"
        verb = "Taught by" if "teacher" in model else "Reads"
        notes.append(f"{verb} features of the user's own ({Path(table['path']).name}): {known}.")
    return " ".join(dict.fromkeys(filter(None, notes)))


def one_spelling(path: str) -> str:
    """Return one path however it is written: another spelling must not rerun everything."""
    full = Path(path).resolve()
    return str(full.relative_to(Path.cwd()) if full.is_relative_to(Path.cwd()) else full)


def file_dates(paths: list[str]) -> list[list[int]]:
    """Size and date of each file.

    One that is replaced by an older file is another one too, but not newer than what was made of
    the first.
    """
    files = [Path(path).stat() for path in paths]
    return [[file.st_size, file.st_mtime_ns] for file in files]


def tuned_seeds(config: Table, dataset: Table) -> list[int]:
    """Split seeds of a run on which settings were chosen."""
    tuning = config["tuning_split_seeds"]
    known = dataset["tuning_split_seeds"] if tuning is None else tuning
    return sorted({*config["split_seeds"]} & {*known})


def features_source(config: Table, dataset: Table) -> str:
    """Where the baselines' features come from: published, computed or mels.

    Archives of one's own often lack features.csv; the features are computed then.
    """
    kind: str = dataset["features"]
    if is_sampled(config, dataset):
        return "computed"
    if kind == "published" and dataset["source"] == "archives":
        path = archive_paths(config, dataset)[0]
        with open_zip(path) as archive:
            if "fma_metadata/features.csv" not in archive.namelist():
                if not dataset["clips"]:
                    raise SongNetError(
                        f"{path}: has no features.csv, and dataset={config['dataset']} no clips "
                        "of which features could be computed"
                    )
                return "computed"
    return kind


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
        notes.append(f"A sample: {few}, too few for figures to quote.")
    if is_sampled(config, dataset):
        notes.append("The baselines' features were computed here, on the 30 s clips.")
    elif features == "published":
        notes.append(PUBLISHED_NOTE)
    return " ".join([*notes, dataset["note"]]).strip()


def shard_count(config: Table, dataset: Table) -> int:
    """Return the number of jobs that share the clips: fewer for a sample."""
    most: int = dataset["shards"]
    if config["tracks_per_genre"] is None:
        return most
    genres = config["genres"] or dataset["genres"] or TOP_GENRES
    return min(most, -(-config["tracks_per_genre"] * len(genres) // SAMPLE_SHARD))


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU, asked without torch, which takes seconds to load."""
    return Path("/proc/driver/nvidia/gpus").exists()
