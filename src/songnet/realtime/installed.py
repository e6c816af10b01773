"""Models that `songnet get` fetches into the user's data directory."""

from pathlib import Path

from platformdirs import user_data_path

from songnet.errors import SongNetError

NAMES = ("musicnn",)


def data_path(name: str) -> Path:
    """Path of the file of a fetched model."""
    return user_data_path("songnet", appauthor=False) / f"{name}.safetensors"


def model_path(model: str) -> str:
    """Path of a model that is named by its path or, if it can be fetched, by its name."""
    is_name = model in NAMES and not Path(model).exists()
    return str(data_path(model)) if is_name else model


def installed(model: str) -> str:
    """Path of a model, as `model_path` has it.

    Raises:
        SongNetError: it can be fetched and was not.
    """
    path = model_path(model)
    if path != model and not Path(path).exists():
        raise SongNetError(f"model {model}: not fetched yet: run `songnet get {model}`")
    return path
