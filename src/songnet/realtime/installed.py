"""Models in the user's data directory: downloaded by `songnet get`, or trained last."""

import contextlib
import shutil
from pathlib import Path

from platformdirs import user_data_path

from songnet.errors import SongNetError
from songnet.io import replacing

NAMES = ("musicnn",)


def data_path(name: str) -> Path:
    """Return the path of a downloaded model."""
    return _folder() / f"{name}.safetensors"


def remember(path: str | Path) -> None:
    """Copy ``results/{dataset}/best.safetensors`` to the user's data directory, if possible.

    Commands that run in other folders find the network there. The examples are not copied.
    """
    path = Path(path)
    kept = _folder() / "trained" / path.parent.name / path.name
    with contextlib.suppress(OSError, SongNetError), replacing(kept) as temporary:
        shutil.copyfile(path, temporary)


def trained() -> list[Path]:
    """Return the networks below ``results/`` or, if there are none, those from `remember`."""
    found = [*Path("results").glob("*/best.safetensors")]
    return found or [*_folder().glob("trained/*/best.safetensors")]


def _folder() -> Path:
    return user_data_path("songnet", appauthor=False)


def model_path(model: str) -> str:
    """Return the path of a model given by its path or by the name of a downloadable model."""
    is_name = model in NAMES and not Path(model).is_file()
    return str(data_path(model)) if is_name else model


def installed(model: str) -> str:
    """Return `model_path`, checking that a downloadable model was downloaded.

    Raises:
        SongNetError: the model was not downloaded yet.
    """
    path = model_path(model)
    if path != model and not Path(path).exists():
        raise SongNetError(f"model {model}: not downloaded yet; run `songnet get {model}`")
    return path
