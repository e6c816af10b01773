"""Configurations of the networks: fields, defaults and what values are allowed.

The check of models.yaml reads them at every start of the workflow, so nothing here loads torch.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Ge, Gt, Len, Lt

Size = Annotated[int, Ge(1)]


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes that follow from the data. M frequency bands, C genres."""

    n_bands: int
    n_genres: int
    frames_per_second: float


@dataclass(frozen=True)
class CRNNConfig(NetworkConfig):
    """Sizes of the poster's C-RNN."""

    channels: Annotated[list[Size], Len(1)] = field(default_factory=lambda: [64, 64, 64])
    kernel: Size = 5  # frames
    pool: Size = 2  # frames are halved after each block
    hidden: Size = 96
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.3


@dataclass(frozen=True)
class CausalCRNNConfig(NetworkConfig):
    """Sizes of the causal C-RNN."""

    channels: Annotated[list[Size], Len(3, 3)] = field(default_factory=lambda: [24, 48, 96])
    step_seconds: Annotated[float, Gt(0)] = 0.4  # about, as whole frames allow
    features: Size = 128  # of a step, before the recurrent layer
    hidden: Size = 128
    peak_normalise: bool = True  # relative to the running peak, or levels as they are
    metadata: bool = False  # whether it also reads the fields of `songnet.features.metadata`


@dataclass(frozen=True)
class EncoderConfig(NetworkConfig):
    """A pretrained encoder and the sizes of the head on it; nothing here stands in models.yaml."""

    encoder: dict[str, Any]  # from `songnet.models.encoders.describe`
    embedding: Size  # numbers of an embedding
    head: str  # a name of `songnet.models.heads.HEADS`
    head_size: Annotated[int, Ge(0)]


@dataclass(frozen=True)
class TaggerConfig(NetworkConfig):
    """musicnn itself: genres are groups of its tags."""

    tags: dict[str, list[str]]  # of each genre
