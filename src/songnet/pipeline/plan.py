"""Decisions derived from a checked configuration: models, archives, number of jobs, notes.

This module must not import pandas or torch, because every start of the workflow uses it.
"""

from pathlib import Path
from typing import Any

from songnet.data.archives import open_zip
from songnet.data.sources import SOURCES
from songnet.errors import SongNetError
from songnet.features.spectrogram import make_spectrogram
from songnet.io import digest
from songnet.models.registry import FAMILIES
from songnet.realtime.installed import installed, model_path

Table = dict[str, Any]
TOP_GENRES = (  # of FMA
    "Blues", "Classical", "Country", "Easy Listening", "Electronic", "Experimental", "Folk",
    "Hip-Hop", "Instrumental", "International", "Jazz", "Old-Time / Historic", "Pop", "Rock",
    "Soul-RnB", "Spoken",
)  # fmt: skip
FMA_FEATURES = ("mfcc", "all")  # feature sets in features/fma.parquet
# Clips per job: enough to outweigh the job's start-up, and few enough for its memory.
SHARD = range(25, 800)


def selected_models(config: Table, dataset: Table, models: Table, encoders: Table) -> Table:
    """Return the entries of models.yaml that a run trains.

    Models that the data set does not support, and fusions with such a member, are skipped if
    ``models`` is null, and are an error if they are named.

    Args:
        config: checked configuration.
        dataset: entry of datasets.yaml.
        models: all entries of models.yaml.
        encoders: all entries of encoders.yaml.

    Raises:
        SongNetError: ``models`` names an unknown or unsupported model, or ``reference`` one that is
            not trained; or the file of an encoder is missing, or its patches are too long.
    """
    for name in config["models"] or []:
        if name not in models:
            raise SongNetError(
                f"config key models: {name!r} is not known (allowed: {', '.join(models)}"
                + (f"; write a list as 'models=[{name}]')" if "," in name else ")")
            )
    if both := set(config["tables"]) & set(encoders):
        raise SongNetError(f"config key tables.{min(both)}: this name is already an encoder")
    read = {features_read(model) for model in models.values()}
    if unread := set(config["tables"]) - read:
        raise SongNetError(
            f"config key tables.{min(unread)}: no model uses this table; add an entry with "
            f"`features: {min(unread)}` to models.yaml"
        )
    for name, model in models.items():
        if model.get("teacher_mixtures") and model["teacher"] not in encoders:
            raise SongNetError(
                f"models.yaml: {name}.teacher_mixtures: the teacher must be one of encoders.yaml"
            )
    given = [*FMA_FEATURES, *config["tables"], *encoders]
    lacks = {name: _lacks(name, models, dataset, given, encoders) for name in models}
    wanted = config["models"] or _default_models(models, lacks)
    for name in wanted:
        if lacks[name]:
            raise SongNetError(
                f"config key models: {name!r} needs {lacks[name]}, which dataset="
                f"{config['dataset']} does not have"
            )
        for member in models[name].get("members", []):
            if member not in wanted:
                raise SongNetError(f"config key models: {name!r} also needs {member!r} in the list")
    used = {features_read(models[name]) for name in wanted}
    for name, encoder in encoders.items():
        if name in used:
            _check_encoder(name, encoder, config["clips"])
    if config["reference"] not in (None, *wanted):
        raise SongNetError(
            f"config key reference: {config['reference']!r} is not one of the trained models "
            f"({', '.join(wanted)})"
        )
    return {name: models[name] for name in wanted}


def _check_encoder(name: str, encoder: Table, clips: Table) -> None:
    """Check the file of an ONNX encoder, and that no clip is shorter than one of its patches."""
    if encoder["kind"] != "onnx":
        return
    if not Path(encoder["file"]).is_file():
        raise SongNetError(f"encoders.yaml: {name}.file: {encoder['file']}: no such file")
    spectrogram = make_spectrogram(encoder["spectrogram"])
    shortest = min(clips["min_seconds"], clips["clip_seconds"])
    if spectrogram.frames(shortest) < encoder["patch_frames"]:
        patch = encoder["patch_frames"] / spectrogram.frames_per_second
        raise SongNetError(
            f"encoders.yaml: {name}.patch_frames: a patch takes {patch:.1f} s, but clips may be "
            f"{shortest:g} s long; raise the config key clips.min_seconds"
        )


def _default_models(models: Table, lacks: dict[str, str]) -> list[str]:
    """Return the models to train if the configuration names none."""
    wanted = [
        name for name, model in models.items() if not lacks[name] and not model.get("on_request")
    ]
    return [name for name in wanted if set(models[name].get("members", [])) <= set(wanted)]


def _lacks(name: str, models: Table, dataset: Table, features: list[str], encoders: Table) -> str:
    """Return what a model needs but the data set lacks, or an empty string.

    Args:
        name: name of the model.
        models: all entries of models.yaml.
        dataset: entry of datasets.yaml.
        features: names of the available features.
        encoders: entries of encoders.yaml, whose embeddings are computed from audio.
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
        return "duration, bit rate or release year"
    return ""


def clip_kind(dataset: Table) -> str:
    """Return the kind of a data set's clip source, a key of `songnet.data.sources.SOURCES`."""
    source: str = dataset["source"]
    return source if source in ("mels", "folder") else "fma_zip"


def is_own(config: Table, dataset: Table) -> bool:
    """Return whether the music is local already, so that it can be inspected before any job."""
    return config["archives"] is not None or dataset["source"] == "folder"


def songs_file(config: Table) -> str:
    """Return the path of the list of songs of a folder."""
    return f"results/{config['dataset']}/songs.parquet"


def local_path(path: str) -> str:
    """Normalise a path, so that a different spelling does not rerun everything."""
    found = Path(path).resolve()
    if found.is_relative_to(Path.cwd()):
        found = found.relative_to(Path.cwd())
    return str(found)


def has_audio(dataset: Table) -> bool:
    """Return whether the data set contains audio."""
    return bool(dataset["clips"]) and SOURCES[clip_kind(dataset)].has_audio


def is_sampled(config: Table, dataset: Table) -> bool:
    """Return whether only a sample of clips is downloaded from the remote archives."""
    fetched = dataset["source"] == "download" and config["archives"] is None
    return fetched and config["tracks_per_genre"] is not None and dataset["clips"]


def archive_names(dataset: Table) -> list[str]:
    """Return file names or patterns of a data set's archives: metadata, then any clips."""
    if not dataset["clips"]:
        return ["fma_metadata.zip"]
    clips = "mels-*.npz" if dataset["source"] == "mels" else f"fma_{dataset['subset']}.zip"
    return ["fma_metadata.zip", clips]


def archive_paths(config: Table, dataset: Table) -> list[str]:
    """Return the paths of a data set's files: its track table, then the files with the clips."""
    if dataset["source"] == "folder":  # the list of songs serves as both
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
    """Return size and time of the user's own archives; None if SongNet creates the archives."""
    if config["archives"] is None:
        return None
    return file_dates(archive_paths(config, dataset))


def features_read(model: Table) -> str | None:
    """Return the name of the features that a model reads, or that its teacher provides."""
    found = model.get("encoder") or model.get("teacher") or model.get("features")
    return found and str(found)


def features_of(model: Table) -> str:
    """Return the name of the file below ``features/`` that a model reads: fma, or a table."""
    read = str(features_read(model))
    return "fma" if read in FMA_FEATURES else read


def model_note(name: str, models: Table, config: Table, encoders: Table) -> str:
    """Describe the pretraining or the user's own features behind a model; empty if neither.

    Args:
        name: name of the model; the note of a fusion combines those of its members.
        models: entries of models.yaml.
        config: checked configuration.
        encoders: entries of encoders.yaml.
    """
    model = models[name]
    notes = [model_note(member, models, config, encoders) for member in model.get("members", [])]
    read = features_read(model)
    if read in encoders:
        pretrained = encoders[read]["pretrained"]
        taught = f"Distilled from {encoders[read]['title']}, pretrained on {pretrained}."
        notes.append(taught if "teacher" in model else f"Pretrained on {pretrained}.")
    if table := config["tables"].get(read):
        known = table["note"] or "their origin is unknown"
        verb = "Distilled from" if "teacher" in model else "Uses"
        notes.append(f"{verb} the user's own features ({Path(table['path']).name}): {known}.")
    return " ".join(dict.fromkeys(filter(None, notes)))


def file_dates(paths: list[str]) -> list[list[int]]:
    """Return size in bytes and modification time in ns of each file.

    Snakemake compares modification times only, so it would miss a file replaced by an older one.
    """
    files = [Path(path).stat() for path in paths]
    return [[file.st_size, file.st_mtime_ns] for file in files]


def tuned_seeds(config: Table, dataset: Table) -> list[int]:
    """Return the split seeds of this run on which settings were tuned."""
    tuning = config["tuning_split_seeds"]
    known = dataset["tuning_split_seeds"] if tuning is None else tuning
    return sorted({*config["split_seeds"]} & {*known})


def features_source(config: Table, dataset: Table) -> str:
    """Return the source of the baselines' features: published, computed or mels.

    If the user's own archives lack features.csv, the features are computed.

    Raises:
        SongNetError: the features that the configuration asks for, or any features, are missing.
    """
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
        if not is_there and (config["features"] or not has_audio(dataset)):
            raise SongNetError(
                f"{path}: has no features.csv, and dataset={config['dataset']} "
                + (
                    "is configured to use it"
                    if has_audio(dataset)
                    else "has no clips to compute features from"
                )
            )
        return "published" if is_there else "computed"
    return kind


def shard_count(config: Table, dataset: Table, tracks: int | None = None) -> int:
    """Return the number of jobs that share the clips, adapted to the number of tracks.

    Args:
        config: checked configuration.
        dataset: entry of datasets.yaml.
        tracks: number of tracks, if known before any job runs.
    """
    most: int = dataset["shards"]
    if tracks is not None:
        return max(min(most, _ceil_divide(tracks, SHARD.start)), _ceil_divide(tracks, SHARD.stop))
    if config["tracks_per_genre"] is None:
        return most
    genres = config["genres"] or dataset["genres"] or TOP_GENRES
    return min(most, _ceil_divide(config["tracks_per_genre"] * len(genres), SHARD.start))


def _ceil_divide(count: int, size: int) -> int:
    return -(-count // size)


def usable_protocols(protocols: list[str], problems: Table) -> list[str]:
    """Return the protocols that can split the tracks.

    Args:
        protocols: protocols in the configuration.
        problems: reason why a protocol cannot be used, by protocol.

    Raises:
        SongNetError: no protocol can be used.
    """
    usable = [protocol for protocol in protocols if protocol not in problems]
    if not usable:
        reasons = "; ".join(f"{name}: {problems[name]}" for name in protocols)
        raise SongNetError(f"config key protocols: {reasons}; use protocols=random")
    return usable


def check_library(config: Table) -> None:
    """Check that the configuration names an existing library and a model to tag it with.

    Raises:
        SongNetError: no library is named, or a path of it or the model does not exist.
    """
    if config["library"] is None:
        raise SongNetError(
            "config key library: required; run snakemake library --config library=DIR"
        )
    for path in config["library"]:
        if not Path(path).exists():
            raise SongNetError(f"config key library: {path}: no such file or folder")
    installed(config["tagging"]["model"] or "")
    model = tagging_model(config)
    if not model:
        raise SongNetError(
            "config key tagging.model: no network below results/; train one with `make run` or "
            "set this key"
        )
    if not Path(model).is_file():
        raise SongNetError(f"config key tagging.model: {model}: no such file")


def tagging_model(config: Table) -> str:
    """Return the path of the network that tags a library, or an empty string.

    The default is the newest network trained on real music, then the demo's.
    """
    if config["tagging"]["model"] is not None:
        return local_path(model_path(config["tagging"]["model"]))
    found = sorted(Path("results").glob("*/best.safetensors"), key=lambda p: -p.stat().st_mtime)
    return str(min(found, key=lambda path: path.parent.name == "demo", default=""))


def has_gpu() -> bool:
    """Return whether this machine has an NVIDIA GPU, without the slow import of torch."""
    return Path("/proc/driver/nvidia/gpus").exists()
