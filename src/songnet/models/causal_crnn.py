"""A causal C-RNN for real-time classification: no step looks beyond its own frames.

Two-dimensional convolutions detect patterns at any frequency, a recurrent layer models their
sequence, and attention weights the steps up to the current one.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from songnet.errors import SongNetError
from songnet.features.metadata import FIELDS
from songnet.models.base import Network, Outputs, State
from songnet.models.configs import CausalCRNNConfig

RANGE = 80.0  # dynamic range below the peak in dB; quieter levels are clipped
QUIETEST = -40.0  # minimum of the peak in dB, so that noise is not amplified
MOST_COLUMNS = 4.4  # maximum number of columns per step after the first block
FALL = 1.0  # decay of the peak in dB per second, so that it recovers after a loud bang


class CausalConv(nn.Module):
    """Convolution over (frequency, time) whose last tap in time is the current frame."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int]):
        super().__init__()
        self.convolution = nn.Conv2d(
            inputs, outputs, kernel, stride, (kernel[0] // 2, 0), bias=False
        )
        # With a stride, each window ends with the last frame of its stride.
        self.past = kernel[1] - stride[1]

    def forward(self, x: Tensor) -> Tensor:
        """Convolve: (B, inputs, F, past + T) -> (B, outputs, F / stride, T / stride)."""
        return self.convolution(x)


class CausalCRNN(Network):
    """Three convolution blocks, a GRU, attention over past steps, and genre probabilities."""

    def __init__(self, config: CausalCRNNConfig) -> None:
        super().__init__(config)
        stride, pools = _reductions(config.step_seconds * config.frames_per_second)
        self._frames_per_step = stride * pools[0] * pools[1]
        first, second, third = config.channels
        self.convolutions = nn.Sequential(
            *_block(1, first, (5, stride + 2), (4, stride), (2, 1)),
            *_block(first, second, (3, 3), (1, 1), (2, pools[0])),
            *_block(second, third, (3, 3), (1, 1), (2, pools[1])),
        )
        # This memory layout makes training with few channels 1.4 times as fast on CPUs.
        self.convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        bands = math.ceil(config.n_bands / 4) // 8
        if bands == 0:
            raise SongNetError(
                "config key spectrogram.n_mels: the causal C-RNN needs 29 bands or more"
            )
        self.projection = nn.Sequential(nn.Linear(third * bands, config.features), nn.ReLU())
        self.recurrence = nn.GRU(config.features, config.hidden, batch_first=True)
        self.attention = nn.Linear(config.hidden, 1)
        self.step_output = nn.Linear(config.hidden, config.n_genres)
        self.metadata = _Metadata() if config.metadata else None
        self.clip_output = nn.Linear(
            config.hidden + (_Metadata.features if config.metadata else 0), config.n_genres
        )

    def stream(
        self, spectrogram: Tensor, state: State, metadata: Tensor | None = None
    ) -> tuple[Outputs, State]:
        """Compute outputs for the next whole steps, and the state after them."""
        *rest, peak = state
        normalised, peak = self._normalise(spectrogram, peak)
        outputs, rest = self._forward(normalised, rest, metadata)
        return outputs, (*rest, peak)

    def forward_normalised(self, normalised: Tensor, metadata: Tensor | None = None) -> Outputs:
        """Compute outputs for spectrograms (B, M, T) that `normalise` has returned."""
        return self._forward(normalised, self.initial_state(len(normalised))[:-1], metadata)[0]

    def normalise(self, spectrogram: Tensor) -> Tensor:
        """Apply running-peak normalisation: (B, M, T) in dB -> (B, M, T) in dB, at most 0.

        It is a causal ``librosa.power_to_db(ref=np.max, top_db=80)`` with a decaying peak. The
        overall loudness of a recording is not informative, but its changes are.
        """
        return self._normalise(spectrogram, spectrogram.new_zeros(len(spectrogram), 1, 1))[0]

    def _normalise(self, spectrogram: Tensor, peak: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise, and return the peak after the last frame, (B, 1, 1) in dB above QUIETEST."""
        if not self.config.peak_normalise:
            return spectrogram, peak
        level = spectrogram.amax(dim=1, keepdim=True) - QUIETEST
        loudest = torch.cat([peak, level.clamp_min(0)], dim=-1)
        fall = FALL / self.config.frames_per_second
        fallen = fall * torch.arange(loudest.shape[-1], device=level.device)
        peaks = _running_max(loudest + fallen) - fallen
        normalised = (spectrogram - (peaks[..., 1:] + QUIETEST)).clamp_min(-RANGE)
        return normalised, peaks[..., -1:]

    def _forward(
        self, normalised: Tensor, state: Sequence[Tensor], metadata: Tensor | None
    ) -> tuple[Outputs, list[Tensor]]:
        *pasts, hidden, total, weights = state
        x = self.standardise(normalised)[:, None]  # (B, 1, M, T)
        new_pasts: list[Tensor] = []
        for layer in self.convolutions:
            if isinstance(layer, CausalConv):
                x = torch.cat([pasts[len(new_pasts)], x], dim=-1)
                new_pasts.append(x[..., -layer.past :])
            x = layer(x)
        x = self.projection(x.flatten(1, 2).transpose(1, 2))  # (B, steps, features)
        x, hidden = self.recurrence(x, hidden)  # (B, steps, hidden)
        weight = self.attention(x).float().clamp(-8, 8).exp()  # (B, steps, 1)
        totals = total[:, None] + (weight * x).cumsum(1)  # (B, steps, hidden)
        sums = weights[:, None] + weight.cumsum(1)  # (B, steps, 1)
        pooled = known = totals / sums
        if self.metadata is not None:
            about = self.metadata(metadata, pooled)[:, None].expand(-1, pooled.shape[1], -1)
            known = torch.cat([pooled, about], dim=-1)
        outputs = Outputs(
            self.step_output(x).float().log_softmax(-1),
            self.clip_output(known).float().log_softmax(-1),
            pooled,
        )
        return outputs, [*new_pasts, hidden, totals[:, -1], sums[:, -1]]

    def initial_state(self, batch: int) -> State:
        """Return zeros for the convolutions' past inputs, the GRU, attention sums and the peak."""
        config = self.config
        first, second, _ = config.channels
        bands = math.ceil(config.n_bands / 4)
        pasts = [(1, config.n_bands), (first, bands // 2), (second, bands // 4)]
        shapes: list[tuple[int, ...]] = [(batch, *past, 2) for past in pasts]
        shapes += [(1, batch, config.hidden), (batch, config.hidden), (batch, 1), (batch, 1, 1)]
        return tuple(torch.zeros(shape, device=self.mean.device) for shape in shapes)

    def set_statistics(self, mean: Tensor, std: Tensor, metadata: NDArray[np.float32]) -> None:
        """Set the statistics of the training subset."""
        super().set_statistics(mean, std, metadata)
        if self.metadata is not None:
            self.metadata.set_statistics(metadata)

    @property
    def reads_metadata(self) -> bool:
        """Whether the clip logits depend on the fields of `songnet.features.metadata`."""
        return self.metadata is not None

    @property
    def frames_per_step(self) -> int:
        """Number of frames in a step."""
        return self._frames_per_step


def _running_max(x: Tensor) -> Tensor:
    """Compute ``x.cummax(-1).values``, which ONNX lacks, in log2(length) operations."""
    reach = 1
    while reach < x.shape[-1]:
        x = torch.cat([x[..., :reach], torch.maximum(x[..., reach:], x[..., :-reach])], dim=-1)
        reach *= 2
    return x


class _Metadata(nn.Module):
    """Features of the metadata, any of which may be unknown."""

    features = 16
    hidden_share = 0.2  # share of training examples whose metadata are masked
    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(FIELDS)))
        self.register_buffer("std", torch.ones(len(FIELDS)))
        self.layer = nn.Sequential(nn.Linear(2 * len(FIELDS), self.features), nn.ReLU())

    def set_statistics(self, metadata: NDArray[np.float32]) -> None:
        table = np.ma.masked_invalid(metadata)
        self.mean.copy_(torch.from_numpy(table.mean(axis=0).filled(0.0)))
        self.std.copy_(torch.from_numpy(np.maximum(table.std(axis=0).filled(1.0), 1e-3)))

    def forward(self, metadata: Tensor | None, like: Tensor) -> Tensor:
        """Compute features: (B, fields) -> (B, features); None means that all are unknown."""
        if metadata is None:
            metadata = torch.full((len(like), len(FIELDS)), torch.nan).to(like)
        if self.training:
            hidden = torch.rand(len(metadata), 1) < self.hidden_share
            metadata = metadata.masked_fill(hidden.to(metadata.device), torch.nan)
        unknown = metadata.isnan()
        values = ((metadata - self.mean) / self.std).clamp(-3, 3).masked_fill(unknown, 0)
        return self.layer(torch.cat([values, unknown.to(values)], dim=-1))


def _reductions(frames: float) -> tuple[int, tuple[int, int]]:
    """Return the first block's stride in time, and the pooling of the other two.

    Time resolution is reduced first where it costs most: the first block leaves about four columns
    per step at any frame rate.

    Args:
        frames: approximate number of frames in a step.
    """
    stride = math.ceil(frames / MOST_COLUMNS)
    halvings = min(2, max(0, round(math.log2(frames / stride))))
    return stride, ((1, 1), (2, 1), (2, 2))[halvings]


def _block(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int],
    pool: tuple[int, int],
) -> list[nn.Module]:  # fmt: skip
    return [
        CausalConv(inputs, outputs, kernel, stride),
        nn.BatchNorm2d(outputs),
        nn.MaxPool2d(pool),
        nn.ReLU(),  # after pooling, for the same result on fewer values
    ]
