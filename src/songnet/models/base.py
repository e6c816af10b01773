"""What all networks share: standardised input, outputs at every step, files of weights."""

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
    """What a network says at every step: logits are log-probabilities, (B, steps, C)."""

    step_logits: Tensor  # of the music at the step; the recurrent state remembers what came before
    clip_logits: Tensor  # of all music up to the step; the last ones are the clip's
    embeddings: Tensor  # (B, steps, H) pooled recurrent states up to the step


State = tuple[Tensor, ...]  # all that a network remembers of past steps


class Network(nn.Module):
    """Base class of networks.

    Subclasses give `frames_per_step` and `forward_normalised`. Where no step
    looks ahead, they give `stream` and `initial_state` too, and music can be classified as it
    plays.

    ``mean`` and ``std`` (M, 1) in dB are those of the normalised training subset, for each band.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config: Any = config
        self.register_buffer("mean", torch.zeros(config.n_bands, 1))
        self.register_buffer("std", torch.ones(config.n_bands, 1))

    def normalise(self, spectrogram: Tensor) -> Tensor:
        """Remove differences in loudness: (B, M, T) in dB -> (B, M, T) in dB. Here, none."""
        return spectrogram

    def standardise(self, normalised: Tensor) -> Tensor:
        """Zero mean and unit variance in every band: (B, M, T) in dB -> (B, M, T)."""
        return (normalised - self.mean) / self.std

    def set_statistics(self, mean: Tensor, std: Tensor, metadata: NDArray[np.float32]) -> None:
        """Take the statistics of the training subset.

        Args:
            mean: (M, 1) in dB.
            std: (M, 1) in dB.
            metadata: (n, fields) of `songnet.features.metadata`; nan where unknown.
        """
        self.mean.copy_(mean)
        self.std.copy_(std)

    def forward(self, spectrogram: Tensor, metadata: Tensor | None = None) -> Outputs:
        """Outputs for spectrograms (B, M, T) in dB and metadata (B, fields)."""
        return self.forward_normalised(self.normalise(spectrogram), metadata)

    def forward_normalised(self, normalised: Tensor, metadata: Tensor | None = None) -> Outputs:
        """Outputs for spectrograms (B, M, T) as `normalise` gives them."""
        raise NotImplementedError

    def stream(
        self, spectrogram: Tensor, state: State, metadata: Tensor | None = None
    ) -> tuple[Outputs, State]:
        """Outputs for whole steps (B, M, steps * frames_per_step), and the state after them.

        Where a network looks ahead, they are those of steps that these frames complete.
        """
        raise NotImplementedError

    def finish(self, state: State) -> Outputs | None:
        """Outputs of the steps that waited for music after them; here, none wait."""
        return None

    def initial_state(self, batch: int) -> State:
        """State before the first step: zeros."""
        raise NotImplementedError

    @classmethod
    def is_causal(cls) -> bool:
        """Whether it can classify music as it plays, exactly as it classifies whole clips."""
        return cls.stream is not Network.stream

    @property
    def reads_metadata(self) -> bool:
        """Whether it reads a track's metadata beside its sound."""
        return False

    @property
    def frames_per_step(self) -> int:
        """Frames that one step covers; no shorter clip gives a step."""
        raise NotImplementedError

    @property
    def lookahead(self) -> int:
        """Frames after a step that its outputs depend on: `stream` gives them so much later."""
        return 0

    @property
    def layers(self) -> list[nn.Module]:
        """What each layer of convolutions gives: modules with outputs (B, filters, ..., time).

        Here, those behind each ReLU of `convolutions`; none where a network has no such attribute.
        """
        convolutions = getattr(self, "convolutions", ())
        return [module for module in convolutions if isinstance(module, nn.ReLU)]


def make_network(name: str, data: NetworkConfig, parameters: dict[str, Any]) -> Network:
    """Build the network that an entry of models.yaml describes.

    Args:
        name: of the network, as in `songnet.models.registry`.
        data: what the data say.
        parameters: further fields of its configuration.

    Raises:
        SongNetError: name or parameters are wrong.
    """
    kind = network_class(name)
    try:
        return kind(network_config(name)(**asdict(data), **parameters))
    except TypeError as error:
        raise SongNetError(f"models.yaml: parameters of {name}: {error}") from None


VERSION = 1  # of the files that `save` writes


def save(network: Network, genres: list[str], facts: dict[str, Any], path: str | Path) -> None:
    """Write weights as safetensors; class, configuration, genres and facts are its metadata."""
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
    """SHA-256 of everything in a file but itself."""
    found = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


class Saved(NamedTuple):
    """What a file of weights holds."""

    network: Network  # ready to predict
    genres: list[str]
    facts: dict[str, Any]


def load(path: str | Path) -> Saved:
    """Read what `save` wrote, without pickle.

    Raises:
        SongNetError: the file is missing, was not written by `save`, or by that of another version,
            or is not what was written.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = {name: json.loads(value) for name, value in file.metadata().items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata["version"] != VERSION:
            raise ValueError(f"its version is {metadata['version']}, this SongNet reads {VERSION}")
        if metadata.pop("checksum") != _checksum(metadata, tensors):
            raise ValueError("damaged, its checksum is wrong")
        kind = network_class(metadata["network"])
        config = network_config(metadata["network"])
        known = {field.name for field in fields(config)}
        if differing := known ^ metadata["config"].keys():
            names = ", ".join(sorted(differing))
            raise ValueError(f"another version made it, whose settings differ: {names}")
        network = kind(config(**metadata["config"]))
        network.load_state_dict(tensors)
        genres = metadata["genres"]
        if not isinstance(genres, list) or not all(isinstance(name, str) for name in genres):
            raise ValueError("genres are not a list of names")
        if len(set(genres)) != network.config.n_genres or len(genres) != len(set(genres)):
            raise ValueError(
                f"{len(genres)} genres for {network.config.n_genres} outputs, which must differ"
            )
        if not isinstance(metadata["facts"], dict):
            raise ValueError("facts are not a table")
        if not all(tensor.isfinite().all() for tensor in tensors.values()):
            raise ValueError("weights that are not finite")
        return Saved(network.eval(), genres, metadata["facts"])
    except KeyError as error:
        raise SongNetError(f"{path}: not a network saved by SongNet: lacks {error}") from None
    except Exception as error:
        problem = " ".join(str(error).split())
        raise SongNetError(f"{path}: not a network saved by SongNet: {problem}") from None
