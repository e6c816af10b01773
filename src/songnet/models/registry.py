"""What kinds of models there are: one entry for each family and for each network.

The package and the workflow look them up here. Importing this loads none.
"""

from dataclasses import dataclass
from typing import Any

from songnet.errors import SongNetError
from songnet.io import load_class


@dataclass(frozen=True)
class NetworkKind:
    """Import paths of a network."""

    path: str  # of the class
    config: str  # of its configuration, a dataclass in a module that loads no torch


# By the short names that stand in models.yaml and in files of weights.
NETWORKS = {
    "crnn": NetworkKind("songnet.models.crnn.CRNN", "songnet.models.configs.CRNNConfig"),
    "causal_crnn": NetworkKind(
        "songnet.models.causal_crnn.CausalCRNN", "songnet.models.configs.CausalCRNNConfig"
    ),
}
# On pretrained encoders: files of weights name them, models.yaml does not.
PRETRAINED = {
    "encoder_classifier": NetworkKind(
        "songnet.models.encoder_networks.EncoderClassifier", "songnet.models.configs.EncoderConfig"
    ),
    "musicnn_tagger": NetworkKind(
        "songnet.models.encoder_networks.MusiCNNTagger", "songnet.models.configs.TaggerConfig"
    ),
}
# Pretrained encoders, by the kinds that stand in encoders.yaml and in files of weights.
ENCODERS = {
    "table": "songnet.models.encoders.TableEncoder",
    "musicnn": "songnet.models.encoders.MusiCNNEncoder",
    "onnx": "songnet.models.encoders.OnnxEncoder",
}


@dataclass(frozen=True)
class Family:
    """A kind of models that are trained, stored and applied alike."""

    key: str  # of an entry in models.yaml: what is trained
    rule: str  # of the workflow, that trains it
    file: str  # of a trained model, in the folder of its run
    features: str  # what it reads: spectrograms, a table of features, or predictions of others
    # Protocol that the poster's accuracies of such models belong to. Its baselines' are counts on
    # FMA's official test subset. Its C-RNN's is not; we count it to the random split, where
    # accuracies are highest (docs/reproduction.md).
    poster_protocol: str | None = None
    predictor: str = ""  # class that applies trained models to tracks; a fusion needs none
    mlflow: str = ""  # function that logs a trained model; of a fusion, predictions are all


FAMILIES = {
    "baseline": Family(
        key="estimator",
        rule="train_baseline",
        file="model.joblib",
        features="table",
        poster_protocol="official",
        predictor="songnet.models.baselines.Predictor",
        mlflow="songnet.tracking.models.log_baseline",
    ),
    "crnn": Family(
        key="network",
        rule="train_crnn",
        file="model.safetensors",
        features="spectrograms",
        poster_protocol="random",
        predictor="songnet.training.predict.Predictor",
        mlflow="songnet.tracking.models.log_network",
    ),
    "encoder": Family(
        key="encoder",
        rule="train_heads",
        file="model.safetensors",
        features="table",
        predictor="songnet.models.encoder_networks.Predictor",
        mlflow="songnet.tracking.models.log_network",
    ),
    "fusion": Family(key="members", rule="fuse", file="model.json", features="predictions"),
}


def class_path(entry: dict[str, Any]) -> str:
    """Import path of the class that an entry of models.yaml trains; empty for a fusion."""
    if FAMILIES[entry["family"]].key == "network":
        return NETWORKS[entry["network"]].path
    return str(entry.get("estimator", ""))


def network_class(name: str) -> Any:
    """Find a network by its short name.

    Raises:
        SongNetError: there is none; a file of weights cannot name other code.
    """
    return load_class(_network(name).path)


def network_config(name: str) -> Any:
    """Find the configuration of a network by its short name, without its class.

    Raises:
        SongNetError: there is no such network.
    """
    return load_class(_network(name).config)


def network_name(network: Any) -> str:
    """Short name of a network's class."""
    path = f"{type(network).__module__}.{type(network).__name__}"
    return next(name for name, known in (NETWORKS | PRETRAINED).items() if known.path == path)


def _network(name: str) -> NetworkKind:
    known = NETWORKS | PRETRAINED
    if name not in known:
        raise SongNetError(f"{name!r} is not a network of SongNet (known: {', '.join(known)})")
    return known[name]
