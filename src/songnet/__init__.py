"""SongNet: music genre classification, from archives of audio to a results table and a live page.

Three lines classify music:

Examples:
    >>> import songnet
    >>> model = songnet.load()
    >>> model.classify("song.mp3").genre
    'Rock'

There is one package per stage of the data flow: ``features``, ``data``, ``models``,
``training``, ``evaluation``, ``report``, ``realtime``, ``library``, ``tracking``, ``pipeline``.
The package does not import Snakemake.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from songnet.errors import SongNetError

if TYPE_CHECKING:
    from songnet.realtime.model import Model
    from songnet.realtime.results import Classification, Prediction, to_frame
    from songnet.realtime.stream import Step, Stream

__version__ = "0.1.0"
__all__ = [
    "Classification",
    "Model",
    "Prediction",
    "SongNetError",
    "Step",
    "Stream",
    "load",
    "to_frame",
]
# Imported on first access, because torch takes a second to load.
_MODULES = {
    "Classification": "songnet.realtime.results",
    "Model": "songnet.realtime.model",
    "Prediction": "songnet.realtime.results",
    "Step": "songnet.realtime.stream",
    "Stream": "songnet.realtime.stream",
    "to_frame": "songnet.realtime.results",
}


def load(path: str | Path | None = None) -> "Model":
    """Load a trained network.

    Examples:
        >>> model = songnet.load("results/demo/best.safetensors")
        >>> model.genres
        ['Electronic', 'Folk', 'Rock']

    Args:
        path: weights file, or the name of a model downloaded by ``songnet get``. None loads the
            newest ``results/*/best.safetensors`` below the working directory or, if there is none,
            the last network that this user trained; networks trained on real music come first.

    Raises:
        SongNetError: no network is found, or it cannot classify audio.
    """
    from songnet.realtime.classify import find_model

    return find_model(path if path is None else str(path))


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'songnet' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
