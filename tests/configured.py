"""The project's own configuration, as the workflow reads it."""

from pathlib import Path
from typing import Any

from songnet.pipeline.configuration import (
    check,
    check_datasets,
    check_encoders,
    check_models,
    read_models,
)
from songnet.pipeline.plan import selected_models
from songnet.pipeline.yaml_files import read_yaml

ROOT = Path(__file__).parents[1]
DATASETS = check_datasets(read_yaml(ROOT / "config/datasets.yaml"))
ENCODERS = check_encoders(read_yaml(ROOT / "config/encoders.yaml"))
MODELS = check_models(read_models(ROOT / "config/models.yaml"))


def checked(**config: Any) -> dict[str, Any]:
    """Check what a user would give on top of the defaults, as the workflow does at its start."""
    config = check(config, DATASETS)
    selected_models(config, DATASETS[config["dataset"]], MODELS, ENCODERS)
    return config
