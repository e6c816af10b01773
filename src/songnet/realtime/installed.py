"""Models in the user's data directory: what `songnet get` fetched, and the last ones trained."""

import contextlib
import shutil
from pathlib import Path

from platformdirs import user_data_path

from songnet.errors import SongNetError
from songnet.io import replacing

NAMES = ("musicnn",)


def data_path(name: str) -> Path:
    """Path of the file of a fetched model."""
    return _folder() / f"{name}.safetensors"


def remember(path: str | Path) -> None:
    """Keep ``results/{dataset}/best.safetensors`` for commands that run elsewhere, if it exists.

    Examples beside it stay where they are. A data directory that cannot be written is no error.
    """
    path = Path(path)
    kept = _folder() / "trained" / path.parent.name / path.name
    with contextlib.suppress(OSError, SongNetError), replacing(kept) as temporary:
        shutil.copyfile(path, temporary)


def trained() -> list[Path]:
    """Networks below ``results/``, or, where there are none, the ones that `remember` kept."""
    found = [*Path("results").glob("*/best.safetensors")]
    return found or [*_folder().glob("trained/*/best.safetensors")]


def _folder() -> Path:
    return user_data_path("songnet", appauthor=False)


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
