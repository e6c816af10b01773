"""Base class of networks: standardised input, outputs at every step, weight files."""

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from songnet.errors import SongNetError
from songnet.io import replacing
from songnet.models.configs import NetworkConfig
from songnet.models.registry import network_class, network_config, network_name


class Outputs(NamedTuple):
    """Outputs of a network at every step; logits are log-probabilities, (B, steps, C)."""

    step_logits: Tensor  # prediction for the music at the step, given the recurrent state
    clip_logits: Tensor  # prediction for all music up to the step; the last is that of the clip
    embeddings: Tensor  # (B, steps, H) recurrent states pooled up to the step


State = tuple[Tensor, ...]  # everything that a network keeps from past steps


class Network(nn.Module):
    """Base class of networks.

    Subclasses define `frames_per_step` and `forward_normalised`. Networks that can classify music
    as it plays also define `stream` and `initial_state`.

    ``mean`` and ``std`` (M, 1) in dB are the statistics of each band over the normalised training
    subset.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config: Any = config
        self.register_buffer("mean", torch.zeros(config.n_bands, 1))
        self.register_buffer("std", torch.ones(config.n_bands, 1))

    def normalise(self, spectrogram: Tensor) -> Tensor:
        """Normalise loudness: (B, M, T) in dB -> (B, M, T) in dB. The default is no change."""
        return spectrogram

    def standardise(self, normalised: Tensor) -> Tensor:
        """Scale every band to zero mean and unit variance: (B, M, T) in dB -> (B, M, T)."""
        return (normalised - self.mean) / self.std

    def set_statistics(self, mean: Tensor, std: Tensor, metadata: NDArray[np.float32]) -> None:
        """Set the statistics of the training subset.

        Args:
            mean: (M, 1) in dB.
            std: (M, 1) in dB.
            metadata: (n, fields) from `songnet.features.metadata`; nan where unknown.
        """
        self.mean.copy_(mean)
        self.std.copy_(std)

    def forward(self, spectrogram: Tensor, metadata: Tensor | None = None) -> Outputs:
        """Compute outputs for spectrograms (B, M, T) in dB and metadata (B, fields)."""
        return self.forward_normalised(self.normalise(spectrogram), metadata)

    def forward_normalised(self, normalised: Tensor, metadata: Tensor | None = None) -> Outputs:
        """Compute outputs for spectrograms (B, M, T) that `normalise` has returned."""
        raise NotImplementedError

    def stream(
        self, spectrogram: Tensor, state: State, metadata: Tensor | None = None
    ) -> tuple[Outputs, State]:
        """Compute outputs for whole steps (B, M, steps * frames_per_step), and the next state.

        A network with lookahead returns the outputs of the steps that these frames complete.
        """
        raise NotImplementedError

    def finish(self, state: State) -> Outputs | None:
        """Compute outputs of the steps that still wait for lookahead; None if there are none."""
        return None

    def initial_state(self, batch: int) -> State:
        """Return the state before the first step."""
        raise NotImplementedError

    @classmethod
    def is_causal(cls) -> bool:
        """Return whether the network can stream with the same results as for whole clips."""
        return cls.stream is not Network.stream

    @property
    def reads_metadata(self) -> bool:
        """Whether the network reads a track's metadata in addition to its spectrogram."""
        return False

    @property
    def frames_per_step(self) -> int:
        """Number of frames in a step, which is also the minimum length of a clip."""
        raise NotImplementedError

    @property
    def lookahead(self) -> int:
        """Number of frames after a step that its outputs depend on; the delay of `stream`."""
        return 0

    @property
    def layers(self) -> list[nn.Module]:
        """Modules whose outputs (B, filters, ..., time) are the feature maps of the network.

        The default is every ReLU of ``convolutions``; empty for networks without that attribute.
        """
        convolutions = getattr(self, "convolutions", ())
        return [module for module in convolutions if isinstance(module, nn.ReLU)]


def make_network(name: str, data: NetworkConfig, parameters: dict[str, Any]) -> Network:
    """Build the network that an entry of models.yaml describes.

    Args:
        name: name of the network in `songnet.models.registry`.
        data: sizes that follow from the data.
        parameters: other fields of the network's configuration.

    Raises:
        SongNetError: the name or the parameters are invalid.
    """
    cls = network_class(name)
    try:
        return cls(network_config(name)(**asdict(data), **parameters))
    except TypeError as error:
        raise SongNetError(f"models.yaml: parameters of {name}: {error}") from None


VERSION = 1  # of the file format that `save` writes


def save(network: Network, genres: list[str], facts: dict[str, Any], path: str | Path) -> None:
    """Write weights as safetensors, with class, configuration, genres and facts as metadata."""
    metadata = {
        "version": VERSION,
        "network": network_name(network),
        "config": asdict(network.config),
        "genres": genres,
        "facts": facts,
    }
    tensors = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    metadata["checksum"] = _checksum(metadata, tensors)
    with replacing(path) as temporary:
        save_file(tensors, temporary, {name: json.dumps(value) for name, value in metadata.items()})


def _checksum(metadata: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    """Compute the SHA-256 of the contents of a weight file, without the checksum itself."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


class Saved(NamedTuple):
    """Contents of a weight file."""

    network: Network  # in evaluation mode
    genres: list[str]
    facts: dict[str, Any]


def load(path: str | Path) -> Saved:
    """Load a network written by `save`; no pickle is involved.

    Raises:
        SongNetError: the file is missing, was not written by this version of `save`, or is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = {name: json.loads(value) for name, value in file.metadata().items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata["version"] != VERSION:
            raise ValueError(f"its version is {metadata['version']}, this SongNet reads {VERSION}")
        if metadata.pop("checksum") != _checksum(metadata, tensors):
            raise ValueError("damaged, its checksum is wrong")
        cls = network_class(metadata["network"])
        config = network_config(metadata["network"])
        known = {field.name for field in fields(config)}
        if differing := known ^ metadata["config"].keys():
            names = ", ".join(sorted(differing))
            raise ValueError(f"written by another version with different settings: {names}")
        network = cls(config(**metadata["config"]))
        network.load_state_dict(tensors)
        genres = metadata["genres"]
        if not isinstance(genres, list) or not all(isinstance(name, str) for name in genres):
            raise ValueError("genres are not a list of names")
        if len(set(genres)) != network.config.n_genres or len(genres) != len(set(genres)):
            raise ValueError(
                f"{len(genres)} genres for {network.config.n_genres} outputs, or repeated genres"
            )
        if not isinstance(metadata["facts"], dict):
            raise ValueError("facts are not a table")
        if not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise ValueError("its weights are not finite")
        return Saved(network.eval(), genres, metadata["facts"])
    except KeyError as error:
        raise SongNetError(f"{path}: not a network saved by SongNet: lacks {error}") from None
    except Exception as error:
        problem = " ".join(str(error).split())
        raise SongNetError(f"{path}: not a network saved by SongNet: {problem}") from None
