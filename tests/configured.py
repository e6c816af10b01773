"""The project's own configuration, as the workflow reads it."""

from pathlib import Path
from typing import Any

from songnet.configuration import check, read_models, read_yaml

ROOT = Path(__file__).parents[1]
SCHEMA = read_yaml(ROOT / "workflow/schemas/config.schema.yaml")
DATASETS = read_yaml(ROOT / "config/datasets.yaml")
MODELS = read_models(ROOT / "config/models.yaml")


def checked(**config: Any) -> dict[str, Any]:
    """Check what a user would give on top of the defaults."""
    return check(config, SCHEMA, DATASETS, MODELS)
