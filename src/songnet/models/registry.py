"""Registry of models, with one entry for each family and each network.

The package and the workflow look models up here; importing this module does not import them.
"""

from dataclasses import dataclass
from typing import Any

from songnet.errors import SongNetError
from songnet.io import load_class


@dataclass(frozen=True)
class NetworkKind:
    """Import paths of a network."""

    path: str  # class of the network
    config: str  # its configuration, a dataclass in a module that does not import torch


# By their short names in models.yaml and in weight files.
NETWORKS = {
    "crnn": NetworkKind("songnet.models.crnn.CRNN", "songnet.models.configs.CRNNConfig"),
    "causal_crnn": NetworkKind(
        "songnet.models.causal_crnn.CausalCRNN", "songnet.models.configs.CausalCRNNConfig"
    ),
}
# Networks on pretrained encoders, whose names occur in weight files but not in models.yaml.
PRETRAINED = {
    "encoder_classifier": NetworkKind(
        "songnet.models.encoder_networks.EncoderClassifier", "songnet.models.configs.EncoderConfig"
    ),
    "musicnn_tagger": NetworkKind(
        "songnet.models.encoder_networks.MusiCNNTagger", "songnet.models.configs.TaggerConfig"
    ),
}
# Pretrained encoders, by their kinds in encoders.yaml and in weight files.
ENCODERS = {
    "table": "songnet.models.encoders.TableEncoder",
    "musicnn": "songnet.models.encoders.MusiCNNEncoder",
    "onnx": "songnet.models.encoders.OnnxEncoder",
}


@dataclass(frozen=True)
class Family:
    """Models that are trained, stored and applied in the same way."""

    key: str  # key in models.yaml that names what is trained
    rule: str  # workflow rule that trains the model
    file: str  # file name of a trained model in its run's folder
    features: str  # input: spectrograms, table (of features), or predictions (of other models)
    # Protocol to compare with the poster's accuracies. Those of its baselines are multiples of
    # 1/800, the size of FMA's official test subset. That of its C-RNN is not; it is compared with
    # the random split, where accuracies are highest (docs/explanation/poster.md).
    poster_protocol: str | None = None
    predictor: str = ""  # class that applies trained models to tracks; empty for a fusion
    mlflow: str = ""  # function that logs a trained model; empty for a fusion


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
    """Return the import path of the class that a models.yaml entry trains; empty for a fusion."""
    if FAMILIES[entry["family"]].key == "network":
        return NETWORKS[entry["network"]].path
    return str(entry.get("estimator", ""))


def network_class(name: str) -> Any:
    """Import the class of a network by its short name.

    Raises:
        SongNetError: the name is unknown; weight files cannot refer to any other code.
    """
    return load_class(_network(name).path)


def network_config(name: str) -> Any:
    """Import the configuration of a network by its short name, but not the network itself.

    Raises:
        SongNetError: the name is unknown.
    """
    return load_class(_network(name).config)


def network_name(network: Any) -> str:
    """Return the short name of a network's class."""
    path = f"{type(network).__module__}.{type(network).__name__}"
    return next(name for name, known in (NETWORKS | PRETRAINED).items() if known.path == path)


def _network(name: str) -> NetworkKind:
    known = NETWORKS | PRETRAINED
    if name not in known:
        raise SongNetError(f"{name!r} is not a SongNet network (known: {', '.join(known)})")
    return known[name]
