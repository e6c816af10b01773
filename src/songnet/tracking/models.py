"""Models in MLflow, with signature and requirements; the best of each split is registered."""

import contextlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import skops.io as skops
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import Schema, TensorSpec

from songnet.io import load_class
from songnet.models import base, baselines
from songnet.models.registry import FAMILIES
from songnet.tracking.runs import DATA, plain
from songnet.tracking.store import CURRENT

# Tags of a run.
MODEL_ID = "songnet.model_id"  # id of the run's model in MLflow, see `has_model`
READS_AUDIO = "songnet.reads_audio"  # whether the model accepts audio files


def has_model(record: dict[str, Any]) -> bool:
    """Return whether a run's model is logged; a head on a user's table is not."""
    if record["family"] == "encoder":
        return record["spectrogram"] is not None
    return bool(FAMILIES[record["family"]].mlflow)


def log_model(path: Path, record: dict[str, Any]) -> dict[str, str]:
    """Log a trained model to the active run.

    Args:
        path: path of the model file.
        record: contents of the run's params.json.

    Returns:
        Tags to set on the run.
    """
    info = load_class(FAMILIES[record["family"]].mlflow)(path, record)
    # By default, MLflow records the temporary script that Snakemake runs.
    mlflow.MlflowClient().set_logged_model_tags(info.model_id, {"mlflow.source.name": str(path)})
    reads_audio = "file" in info.signature.inputs.input_names()
    return {MODEL_ID: str(info.model_id), READS_AUDIO: str(reads_audio).lower()}


def log_baseline(path: Path, record: dict[str, Any]) -> Any:
    """Log a baseline to the active run; the arguments are those of `log_model`."""
    pipeline = baselines.load(path).pipeline
    example = np.zeros((1, pipeline.n_features_in_), np.float32)
    return mlflow.sklearn.log_model(
        pipeline,
        name=plain(record["model"]),
        signature=infer_signature(example, pipeline.predict(example)),
        pip_requirements=_pinned("scikit-learn"),
        # The types are trusted because the workflow wrote the file.
        skops_trusted_types=skops.get_untrusted_types(data=skops.dumps(pipeline)),
    )


def log_network(path: Path, record: dict[str, Any]) -> Any:
    """Log a network to the active run, with audio files as input if it is causal, else mels.

    Args:
        path: weights file.
        record: contents of the run's params.json.
    """
    network = base.load(path).network
    mel = TensorSpec(np.dtype(np.float32), (-1, network.config.n_bands, -1))
    of_files = infer_signature(pd.DataFrame({"file": ["song.mp3"]}))
    streams = record["spectrogram"] is not None and network.is_causal()
    package = Path(__file__).parents[1]
    return mlflow.pyfunc.log_model(
        name=plain(record["model"]),
        python_model=str(package / "tracking/network_model.py"),
        artifacts={"network": str(path)},
        code_paths=[str(package)],
        signature=of_files if streams else ModelSignature(Schema([mel])),
        pip_requirements=_pinned("torch", "safetensors", "av", "soundfile", "soxr"),
    )


def _pinned(*names: str) -> list[str]:
    """Return requirements with installed versions, which spares MLflow a search of seconds."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in names]


def register_best(name: str, data: str, of_audio: bool = False) -> None:
    """Register the best model of a split as ``models:/{name}@best``.

    The candidates are all current runs of the split, including runs outside this invocation. The
    best run of the model with the best mean validation accuracy is chosen. Networks with metadata
    input come last, since the MLflow model gets no metadata and its accuracy would differ.

    Args:
        name: name of the registered model.
        data: value of the tag DATA of the split's runs.
        of_audio: whether to consider only models that accept audio files.
    """
    current = f"tags.`{DATA}` = '{data}' and tags.`{CURRENT}` = 'true' and tags.`{MODEL_ID}` != ''"
    if of_audio:
        current += f" and tags.`{READS_AUDIO}` = 'true'"
    runs = mlflow.search_runs(filter_string=current, output_format="list")
    if not runs:
        return
    accuracies = pd.Series([run.data.metrics["validation/accuracy"] for run in runs])
    means = accuracies.groupby([run.data.params["model"] for run in runs]).transform("mean")
    alone = [run.data.params.get("parameters.metadata") != "True" for run in runs]
    ranks = list(zip(alone, means, accuracies, strict=True))
    best = runs[ranks.index(max(ranks))]
    client, run_id, model_id = mlflow.MlflowClient(), best.info.run_id, best.data.tags[MODEL_ID]
    with contextlib.suppress(mlflow.MlflowException):  # it exists already
        client.create_registered_model(name)
    # Not `mlflow.register_model`, which prints to the terminal.
    versions = client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'") or [
        client.create_model_version(name, f"models:/{model_id}", run_id, model_id=model_id)
    ]
    client.set_registered_model_alias(name, "best", versions[0].version)
