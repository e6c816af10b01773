"""Configurations of the networks: fields, defaults and allowed values.

The workflow validates models.yaml against them at every start, so this module does not import
torch.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Ge, Gt, Len, Lt

Size = Annotated[int, Ge(1)]


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes that follow from the data: M frequency bands, C genres."""

    n_bands: int
    n_genres: int
    frames_per_second: float


@dataclass(frozen=True)
class CRNNConfig(NetworkConfig):
    """Sizes of the poster's C-RNN."""

    channels: Annotated[list[Size], Len(1)] = field(default_factory=lambda: [64, 64, 64])
    kernel: Size = 5  # frames
    pool: Size = 2  # factor by which each block reduces the number of frames
    hidden: Size = 96
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.3


@dataclass(frozen=True)
class CausalCRNNConfig(NetworkConfig):
    """Sizes of the causal C-RNN."""

    channels: Annotated[list[Size], Len(3, 3)] = field(default_factory=lambda: [24, 48, 96])
    step_seconds: Annotated[float, Gt(0)] = 0.4  # approximate; rounded to whole frames
    features: Size = 128  # per step, before the recurrent layer
    hidden: Size = 128
    peak_normalise: bool = True  # whether to apply running-peak normalisation
    metadata: bool = False  # whether to read the fields of `songnet.features.metadata`, too


@dataclass(frozen=True)
class EncoderConfig(NetworkConfig):
    """A pretrained encoder and the size of its head; models.yaml has none of these fields."""

    encoder: dict[str, Any]  # from `songnet.models.encoders.Encoder.describe`
    embedding: Size  # dimension of the embedding
    head: str  # a name of `songnet.models.heads.HEADS`
    head_size: Annotated[int, Ge(0)]


@dataclass(frozen=True)
class TaggerConfig(NetworkConfig):
    """musicnn with genres that are groups of its tags."""

    tags: dict[str, list[str]]  # by genre
