"""The project's own configuration, as the workflow reads it."""

from pathlib import Path
from typing import Any

from songnet.pipeline.configuration import (
    check,
    check_datasets,
    check_models,
    read_models,
    read_yaml,
)
from songnet.pipeline.plan import selected_models

ROOT = Path(__file__).parents[1]
SCHEMA, DATASETS_SCHEMA, MODELS_SCHEMA = (
    read_yaml(ROOT / f"workflow/schemas/{name}.schema.yaml")
    for name in ("config", "datasets", "models")
)
DATASETS = check_datasets(read_yaml(ROOT / "config/datasets.yaml"), DATASETS_SCHEMA, MODELS_SCHEMA)
MODELS = check_models(read_models(ROOT / "config/models.yaml"), MODELS_SCHEMA)


def checked(**config: Any) -> dict[str, Any]:
    """Check what a user would give on top of the defaults, as the workflow does at its start."""
    config = check(config, SCHEMA, DATASETS)
    selected_models(config, DATASETS[config["dataset"]], MODELS)
    return config
