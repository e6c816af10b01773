# Configuration, tables and paths. No rules.

import os
import sys
import time
from pathlib import Path

ROOT = Path(str(workflow.current_basedir)).parents[1]
# Scripts run in processes of their own, locally or on a cluster: all find the package here.
os.environ |= {
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
}
sys.path.insert(0, str(ROOT / "src"))

from songnet import configuration, summary
from songnet.errors import SongNetError
from songnet.provenance import source_digest

STARTED = time.time()
DATASETS = configuration.read_yaml(ROOT / "config" / "datasets.yaml")
ALL_MODELS = configuration.read_yaml(ROOT / "config" / "models.yaml")

try:
    config = configuration.check(
        config,
        configuration.read_yaml(ROOT / "workflow" / "schemas" / "config.schema.yaml"),
        DATASETS,
        ALL_MODELS,
    )
    DATASET = DATASETS[config["dataset"]]
    MODELS = configuration.selected_models(config, DATASET, ALL_MODELS)
    FEATURES_SOURCE = configuration.features_source(config, DATASET)
except SongNetError as error:
    # One line, not a traceback through the Snakefile.
    sys.exit(f"songnet: error: {error}")

RESULTS = f"results/{config['dataset']}"
METADATA_ZIP, *CLIP_ARCHIVES = configuration.archive_paths(config, DATASET)
SHARDS = [f"{i:03d}" for i in range(DATASET["shards"])]
# The first split seed gives the plain names (splits/artist.parquet), further ones artist-2, ...
SPLITS = {
    protocol if seed == config["split_seeds"][0] else f"{protocol}-{seed}": (protocol, seed)
    for protocol in config["protocols"]
    for seed in (config["split_seeds"] if protocol != "official" else config["split_seeds"][:1])
}
RUN = f"{RESULTS}/runs/{{protocol}}/{{model}}/{{seed}}"


wildcard_constraints:
    protocol=r"(random|artist)(-\d+)?|official",
    model="|".join(ALL_MODELS),
    seed=r"\d+",
    shard=r"\d+",
    archive=r"fma_\w+",


def source(rule_name):
    """Digest of the code behind a rule: its script and the modules that this imports."""
    return source_digest(ROOT / "workflow" / "scripts" / f"{rule_name}.py")


def model_seeds(model):
    """Seeds of a model: one where training draws no random numbers."""
    return config["seeds"] if MODELS[model]["seeded"] else config["seeds"][:1]


def family_files(family, path):
    """A file of every run of a family (None: of all); {protocol} stays a wildcard."""
    return [
        path.replace("{model}", model).replace("{seed}", str(seed))
        for model, entry in MODELS.items()
        if family in (None, entry["family"])
        for seed in model_seeds(model)
    ]


def run_files(name, family=None, protocols=SPLITS):
    """A file of every run of a family (None: of all) under every protocol."""
    return expand(family_files(family, f"{RUN}/{name}"), protocol=protocols)


def run_params(wildcards):
    """What a run is made of; it goes to params.json and to MLflow."""
    protocol, split_seed = SPLITS[wildcards.protocol]
    return {
        "dataset": config["dataset"],
        "protocol": protocol,
        "split_seed": split_seed,
        "model": wildcards.model,
        "seed": int(wildcards.seed),
    } | MODELS[wildcards.model]
