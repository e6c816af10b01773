"""A C-RNN for real time: no step looks ahead of the frames that it covers.

Two-dimensional convolutions find patterns that may stand higher or lower in frequency, a recurrent
layer follows them, and attention weighs the steps up to the present one.
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

RANGE = 80.0  # dB below the peak that are told apart
QUIETEST = -40.0  # dB; what never gets as loud is noise, not music to be amplified
MOST_COLUMNS = 4.4  # of a step that the first block leaves
FALL = 1.0  # dB a second by which the peak falls, so that one bang does not make the rest quiet


class CausalConv(nn.Module):
    """Convolution over (frequency, time) whose last tap in time is the present frame."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], stride: tuple[int, int]):
        super().__init__()
        self.convolution = nn.Conv2d(
            inputs, outputs, kernel, stride, (kernel[0] // 2, 0), bias=False
        )
        # Where frames are strided, a window ends with its step.
        self.past = kernel[1] - stride[1]

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, F, past + T) -> (B, outputs, F / stride, T / stride)."""
        return self.convolution(x)


class CausalCRNN(Network):
    """Three blocks of convolution, a GRU, attention over the past, genre probabilities."""

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
        # Convolutions over few channels train faster so: 1.4 times on the processors tried.
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
        """Outputs for the next whole steps, and the state after them."""
        *rest, peak = state
        normalised, peak = self._normalise(spectrogram, peak)
        outputs, rest = self._forward(normalised, rest, metadata)
        return outputs, (*rest, peak)

    def forward_normalised(self, normalised: Tensor, metadata: Tensor | None = None) -> Outputs:
        """Outputs for spectrograms (B, M, T) as `normalise` gives them."""
        return self._forward(normalised, self.initial_state(len(normalised))[:-1], metadata)[0]

    def normalise(self, spectrogram: Tensor) -> Tensor:
        """Running-peak normalisation: (B, M, T) in dB -> (B, M, T) in dB, at most 0.

        It is ``librosa.power_to_db(ref=np.max, top_db=80)`` without a look ahead, and with a peak
        that falls: how loud a recording is played says nothing, how it moves in loudness does.
        """
        return self._normalise(spectrogram, spectrogram.new_zeros(len(spectrogram), 1, 1))[0]

    def _normalise(self, spectrogram: Tensor, peak: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised spectrogram, and the peak after it, (B, 1, 1) in dB above QUIETEST."""
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
        """State before the first step: pasts of convolutions, GRU, attention's sums, peak."""
        config = self.config
        first, second, _ = config.channels
        bands = math.ceil(config.n_bands / 4)
        pasts = [(1, config.n_bands), (first, bands // 2), (second, bands // 4)]
        shapes: list[tuple[int, ...]] = [(batch, *past, 2) for past in pasts]
        shapes += [(1, batch, config.hidden), (batch, config.hidden), (batch, 1), (batch, 1, 1)]
        return tuple(torch.zeros(shape, device=self.mean.device) for shape in shapes)

    def set_statistics(self, mean: Tensor, std: Tensor, metadata: NDArray[np.float32]) -> None:
        """Take the statistics of the training subset."""
        super().set_statistics(mean, std, metadata)
        if self.metadata is not None:
            self.metadata.set_statistics(metadata)

    @property
    def reads_metadata(self) -> bool:
        """Whether its clip logits depend on the fields of `songnet.features.metadata`."""
        return self.metadata is not None

    @property
    def frames_per_step(self) -> int:
        """Frames that one step covers."""
        return self._frames_per_step


def _running_max(x: Tensor) -> Tensor:
    """As ``x.cummax(-1).values``, for which ONNX has no operator; in log2 of its length steps."""
    reach = 1
    while reach < x.shape[-1]:
        x = torch.cat([x[..., :reach], torch.maximum(x[..., reach:], x[..., :-reach])], dim=-1)
        reach *= 2
    return x


class _Metadata(nn.Module):
    """Features of the metadata; works with any or all of them unknown."""

    features = 16
    hidden_share = 0.2  # of training examples, whose metadata are hidden
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
        """(B, fields) -> (B, features); None where nothing is known."""
        if metadata is None:
            metadata = torch.full((len(like), len(FIELDS)), torch.nan).to(like)
        if self.training:
            hidden = torch.rand(len(metadata), 1) < self.hidden_share
            metadata = metadata.masked_fill(hidden.to(metadata.device), torch.nan)
        unknown = metadata.isnan()
        values = ((metadata - self.mean) / self.std).clamp(-3, 3).masked_fill(unknown, 0)
        return self.layer(torch.cat([values, unknown.to(values)], dim=-1))


def _reductions(frames: float) -> tuple[int, tuple[int, int]]:
    """Stride of the first block in time, and how much the others pool.

    Fine time is given up first, where it costs most: the first block leaves four columns of a step,
    hardly more at any frame rate.

    Args:
        frames: of a step, about.
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
        nn.ReLU(),  # of the same maximum, on fewer values
    ]
