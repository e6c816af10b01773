# Configuration, paths and helper functions, but no rules.

import os
import sys
import time
from pathlib import Path

ROOT = Path(str(workflow.current_basedir)).parents[1]
# Lets scripts import the package in their own processes, also on a cluster.
os.environ |= {
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
}
sys.path.insert(0, str(ROOT / "src"))

from songnet import io
from songnet.data.sources import SOURCES
from songnet.evaluation.runs import FAIREST
from songnet.features.spectrogram import SPECTROGRAMS
from songnet.models.registry import FAMILIES, class_path
from songnet.pipeline import configuration, notes, plan, summary
from songnet.pipeline.preview import preview
from songnet.pipeline.provenance import source_digest
from songnet.pipeline.yaml_files import read_yaml
from songnet.realtime.installed import remember

STARTED = time.time()
# Identifies this invocation, by which MLflow groups runs. Local jobs inherit the variable;
# `envvars` passes it to jobs in pods.
os.environ.setdefault("SONGNET_INVOCATION", time.strftime("%Y-%m-%d %H:%M:%S"))


envvars:
    "SONGNET_INVOCATION",


with configuration.exit_on_error():
    if Path("config/config.yaml").exists():
        read_yaml("config/config.yaml")  # Snakemake's error message does not name the file


configfile: "config/config.yaml"


with configuration.exit_on_error():
    for path in workflow.configfiles:
        read_yaml(path)  # reports duplicate keys, which Snakemake accepts
    DATASETS = configuration.check_datasets(read_yaml(ROOT / "config" / "datasets.yaml"))
    config = configuration.check(config, DATASETS)
    DATASET = DATASETS[config["dataset"]]
    ALL_MODELS = configuration.check_models(
        configuration.read_models(ROOT / "config" / "models.yaml", DATASET["training"])
    )
    ENCODERS = configuration.check_encoders(read_yaml(ROOT / "config" / "encoders.yaml"))
    MODELS = plan.selected_models(config, DATASET, ALL_MODELS, ENCODERS)
    for name, entry in MODELS.items():
        entry["note"] = plan.model_note(name, MODELS, config, ENCODERS)

TRACKING_URI = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / 'mlflow.db'}"
RESULTS = f"results/{config['dataset']}"
with configuration.exit_on_error():
    configuration.check_no_braces(
        {
            "the working directory": str(Path.cwd()),
            "the folder of SongNet": str(ROOT),
            "config key archives": config["archives"],
            "MLFLOW_TRACKING_URI": TRACKING_URI,
        }
        | {f"encoders.yaml: {name}.file": entry.get("file") for name, entry in ENCODERS.items()}
    )
    FEATURES_SOURCE = plan.features_source(config, DATASET)
    # For the user's own music: the number of tracks, and the protocols that cannot split them.
    SEEN = preview(config, DATASET, RESULTS, workflow.is_main_process)
    DATASET = notes.described(config, DATASET, FEATURES_SOURCE, SEEN)
    LEFT_OUT = {name: SEEN.problems[name] for name in config["protocols"] if name in SEEN.problems}
    config["protocols"] = plan.usable_protocols(config["protocols"], SEEN.problems)
if workflow.is_main_process:
    print(*notes.without(LEFT_OUT), sep="\n", end="\n" * bool(LEFT_OUT), file=sys.stderr)
CLIPS = plan.clip_kind(DATASET)
CLIP_CLASS = SOURCES[CLIPS].path
TRACK_TABLE = SOURCES[CLIPS].table
HAS_AUDIO = SOURCES[CLIPS].has_audio
# Texts about the data set. Rules depend on these alone, so that a new URL reruns nothing.
DATASET_WORDS = {key: DATASET[key] for key in ("title", "note", "source")}
SAMPLED = plan.is_sampled(config, DATASET)
METADATA_ZIP, *CLIP_ARCHIVES = plan.archive_paths(config, DATASET)
# Folder of downloaded or generated archives; None for the user's own.
FETCHED = None if plan.is_own(config, DATASET) else str(Path(METADATA_ZIP).parent)
SHARDS = [f"{i:03d}" for i in range(plan.shard_count(config, DATASET, SEEN.tracks))]
# Splits by name, the values of the wildcard `split`: with split seed 1 the name of the protocol
# (splits/artist.parquet), otherwise artist-2, ...
SPLITS = {
    protocol if seed == 1 else f"{protocol}-{seed}": (protocol, seed)
    for protocol in config["protocols"]
    # The official split does not depend on a seed.
    for seed in (config["split_seeds"] if protocol != "official" else [1])
}
# Pages show the best network under the protocol that says most about new music.
FAIREST = next(p for p in FAIREST if p in config["protocols"])
FAIREST_SPLITS = [split for split, (protocol, _) in SPLITS.items() if protocol == FAIREST]
RUN = f"{RESULTS}/runs/{{split}}/{{model}}/{{seed}}"


# Runs outside the configuration have no rule.
wildcard_constraints:
    split="|".join(SPLITS),
    model="|".join(MODELS),
    seed=r"\d+",
    shard=r"\d+",
    archive=r"fma_\w+",


# Priority of training, evaluation and the slow upload, before pages, which can run in parallel.
FIRST = 10
# GPUs per training on this machine; on a cluster, the profile sets them (train_crnn:gpu=1).
GPU = int(plan.has_gpu())


def memory(megabytes):
    """Return a job's memory request, with Snakemake's own 300 MB; it grows with each attempt."""
    return lambda wildcards, attempt: megabytes * attempt


def minutes(limit):
    """Return a job's time limit, which grows with each attempt."""
    return lambda wildcards, attempt: limit * attempt


# Modules that report on trainings without affecting the weights.
REPORTING = ("tracking.live", "pipeline.job", "pipeline.provenance")


def source(rule_name, models=(), without=(), predictors=False, classes=()):
    """Return a param function for the digest of the code behind a rule.

    It is evaluated lazily, since on a cluster each job starts its own Snakemake, which needs the
    digest of one rule only.

    Args:
        rule_name: name of the script.
        models: models whose classes count, may contain wildcards.
        without: modules to ignore, as in `source_digest`.
        predictors: whether the predictor classes of the models count, too.
        classes: further classes that the script loads by name.
    """

    def of_job(wildcards):
        entries = [MODELS[model.format(**dict(wildcards.items()))] for model in models]
        loaded = [*classes, *(class_path(entry) for entry in entries)]
        if predictors:
            loaded += [FAMILIES[entry["family"]].predictor for entry in entries]
        loaded = [path for path in loaded if path.startswith("songnet.")]
        modules = [Path(*path.split(".")[:-1]).with_suffix(".py") for path in loaded]
        script = ROOT / "workflow" / "scripts" / f"{rule_name}.py"
        return source_digest(
            script, *(ROOT / "src" / module for module in modules), without=without
        )

    return of_job


def model_seeds(model):
    """Return a model's training seeds: all if it is stochastic, otherwise the first."""
    return config["seeds"] if MODELS[model]["seeded"] else config["seeds"][:1]


def family(model):
    """Return the family of a model."""
    return FAMILIES[MODELS[model]["family"]]


def predicted_models():
    """Return the models that predict from features; fusions combine predictions instead."""
    return [model for model in MODELS if family(model).predictor]


def trained_by(rule_name):
    """Return the models that a rule trains."""
    return [model for model in MODELS if family(model).rule == rule_name]


# Models with spectrogram input, which pages and excerpts cover.
NETWORKS = [model for model in MODELS if family(model).features == "spectrograms"]


# Models that can classify audio as a stream.
STREAMING = [
    *NETWORKS,
    *(name for name in trained_by("train_heads") if MODELS[name]["encoder"] in ENCODERS),
]


def model_files(models, path):
    """Return the paths of a file of every run of some models; {split} stays a wildcard."""
    return [
        file
        for model in models
        for file in expand(path, model=model, seed=model_seeds(model), allow_missing=True)
    ]


def run_files(name, models=MODELS, splits=SPLITS):
    """Return the paths of a file of every run of some models on every split."""
    return expand(model_files(models, f"{RUN}/{name}"), split=splits)


def named_library(wildcards):
    """Check the library's configuration; return no files, since every run scans the folders."""
    with configuration.exit_on_error():
        plan.check_library(config)
    return []


def scan_time(plan_file):
    """Return the time of the library's scan, a param that makes every run scan again.

    Jobs on a cluster evaluate the workflow, too. They get the time of their run's scan, so that
    they do not scan again.
    """
    if workflow.is_main_process or not Path(plan_file).exists():
        return STARTED
    return io.read_json(plan_file)["time"]


def run_params(wildcards):
    """Return the settings of a run, for params.json and MLflow."""
    return described_run(wildcards.split, wildcards.model, int(wildcards.seed))


def described_run(split, model, seed):
    """Return a run's settings without texts such as the title, whose edits retrain nothing."""
    protocol, split_seed = SPLITS[split]
    words = ("title", "poster", "on_request", "note")
    entry = {key: value for key, value in MODELS[model].items() if key not in words}
    if model in NETWORKS:
        # None: networks trained on precomputed spectrograms cannot classify audio.
        entry |= {"spectrogram": config["spectrogram"] if HAS_AUDIO else None}
    if entry["family"] == "encoder":
        # None for a table, whose heads cannot classify audio either.
        encoder = ENCODERS.get(entry["encoder"], {})
        entry |= {"spectrogram": encoder.get("spectrogram")}
        entry |= {"pretrained": encoder.get("pretrained")}
    data = {"genres": config["genres"] or DATASET["genres"]}
    data |= {key: config[key] for key in ("tracks_per_genre", "clips")}
    # Keys that are null are omitted, so that runs from before a key was introduced stay valid.
    given = ("audio", "labels", "layout", "features")
    data |= {key: config[key] for key in given if config[key] is not None}
    if protocol != "official":
        data["split"] = config["split"]
    return {
        "dataset": config["dataset"],
        "protocol": protocol,
        "split_seed": split_seed,
        "model": model,
        "seed": seed,
        "data": data,
    } | entry


def fusion_runs(wildcards):
    """Return the settings of all fusion runs on a split, with their members' predictions."""
    split = wildcards.split
    return [
        described_run(split, model, seed) | {"predictions": member_predictions(split, model, seed)}
        for model in trained_by("fuse")
        for seed in model_seeds(model)
    ]


def fused_predictions(wildcards):
    """Return the paths of the predictions of all members of all fusions on a split."""
    return [
        path
        for run in fusion_runs(wildcards)
        for paths in run["predictions"].values()
        for path in paths
    ]


def member_predictions(split, model, seed):
    """Return the paths of the predictions that a fusion combines: of its seed, or of all seeds."""
    return {
        member: expand(
            f"{RUN}/predictions.parquet",
            split=split,
            model=member,
            seed=(
                seed
                if MODELS[model]["seeded"] and MODELS[member]["seeded"]
                else model_seeds(member)
            ),
        )
        for member in MODELS[model]["members"]
    }


def store_is_gone(wildcards):
    """Return whether mlflow.db was deleted after an upload, so that all runs are uploaded again."""
    store = TRACKING_URI.removeprefix("sqlite:///")
    uploaded = store != TRACKING_URI and Path(f"{RESULTS}/mlflow/runs.json").exists()
    return uploaded and not Path(store).exists()


def job_counts():
    """Return finished rules, counts of up-to-date and remaining jobs, and evaluated metrics."""
    jobs = {job for job in workflow.dag.jobs if job.output}  # a target is not a job
    finished = jobs & set(workflow.dag.finished_jobs)
    needed = jobs & set(workflow.dag.needrun_jobs(False))
    return (
        [job.rule.name for job in finished],
        len(jobs - needed - finished),
        len(needed - finished),
        [
            path
            for job in jobs - (needed - finished)
            for path in job.output
            if Path(path).name == "metrics.json"
        ],
    )


def features_file(model):
    """Return the path of the features that a model reads."""
    return f"{RESULTS}/features/{plan.features_of(MODELS[model])}.parquet"


def reads_spectrograms(model):
    """Return whether a model has spectrogram input and therefore also predicts excerpts."""
    return family(model).features == "spectrograms"


def model_data(model):
    """Return the paths of a model's input data."""
    return MEL_SHARDS if reads_spectrograms(model) else [features_file(model)]


def encoder_weights(encoder):
    """Return the path of an encoder's file, downloaded or the user's own; empty for a table."""
    if encoder not in ENCODERS:
        return []
    return [ENCODERS[encoder].get("file") or f"resources/encoders/{encoder}.safetensors"]


def encoder_settings(encoder):
    """Return what affects the embeddings of an encoder, with the date of its file."""
    entry = ENCODERS[encoder]
    settings = {key: value for key, value in entry.items() if key not in ("title", "pretrained")}
    return settings | {"dates": plan.file_dates([entry["file"]])} if "file" in entry else settings


def mixtures_of(model, suffix):
    """Return the files of the mixtures that a network is trained on, too."""
    entry = MODELS[model]
    count = -(-entry.get("teacher_mixtures", 0) // len(SHARDS))  # of each shard
    folder = f"{RESULTS}/mixtures/{entry.get('teacher')}-{count}"
    return [f"{folder}/{shard}.{suffix}" for shard in SHARDS] if count else []
