"""Models that `songnet get` fetches into the user's data directory."""

from pathlib import Path

from platformdirs import user_data_path

from songnet.errors import SongNetError

NAMES = ("musicnn",)


def data_path(name: str) -> Path:
    """Path of the file of a fetched model."""
    return user_data_path("songnet", appauthor=False) / f"{name}.safetensors"


def installed(model: str) -> str:
    """Path of a model that is named by its path or, if it was fetched, by its name.

    Raises:
        SongNetError: it can be fetched and was not.
    """
    if model not in NAMES or Path(model).exists():
        return model
    path = data_path(model)
    if not path.exists():
        raise SongNetError(f"--model {model}: not fetched yet: run `songnet get {model}`")
    return str(path)
