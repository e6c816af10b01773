"""What kinds of models there are: one entry for each family and for each network.

The package looks them up here; rules of the workflow name families, too. Importing this loads none.
"""

from dataclasses import dataclass
from typing import Any

from songnet.errors import SongNetError
from songnet.io import load_class

# Short names of networks, as they stand in models.yaml and in files of weights, and their classes.
NETWORKS = {
    "crnn": "songnet.models.crnn.CRNN",
    "causal_crnn": "songnet.models.causal_crnn.CausalCRNN",
}


@dataclass(frozen=True)
class Family:
    """A kind of models that are trained, stored and applied alike."""

    key: str  # of an entry in models.yaml: what is trained
    file: str  # of a trained model, in the folder of its run
    features: str  # what it reads: spectrograms, a table of features, or predictions of others
    predictor: str = ""  # class that applies trained models to tracks; a fusion needs none


FAMILIES = {
    "baseline": Family("estimator", "model.joblib", "table", "songnet.models.baselines.Predictor"),
    "crnn": Family(
        "network", "model.safetensors", "spectrograms", "songnet.training.predict.Predictor"
    ),
    "fusion": Family("members", "model.json", "predictions"),
}


def class_path(entry: dict[str, Any]) -> str:
    """Import path of the class that an entry of models.yaml trains; empty for a fusion."""
    if FAMILIES[entry["family"]].key == "network":
        return NETWORKS.get(entry["network"], "")
    return str(entry.get("estimator", ""))


def network_class(name: str) -> Any:
    """Find a network by its short name.

    Raises:
        SongNetError: there is none; a file of weights cannot name other code.
    """
    if name not in NETWORKS:
        raise SongNetError(f"{name!r} is not a network of SongNet (known: {', '.join(NETWORKS)})")
    return load_class(NETWORKS[name])


def network_name(network: Any) -> str:
    """Short name of a network's class."""
    path = f"{type(network).__module__}.{type(network).__name__}"
    return next(name for name, known in NETWORKS.items() if known == path)
