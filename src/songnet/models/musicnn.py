"""musicnn, a convolutional network pretrained for music tagging (Pons and Serra, ISMIR 2019).

Source: https://github.com/jordipons/musicnn (ISC licence); the layers are the same.
"""

import re
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad

from songnet.models.musicnn_tags import TAGS

BANDS = 96
TIMBRAL = 204  # filters of each height over frequency and 7 frames
HEIGHTS = (38, 67)  # bands
TEMPORAL = 51  # filters of each length over time, in single bands
LENGTHS = (128, 64, 32)  # frames
FRONT = len(HEIGHTS) * TIMBRAL + len(LENGTHS) * TEMPORAL
MIDDLE = 64
MAPS = FRONT + 3 * MIDDLE  # features per frame
EPSILON = 1e-3  # of TensorFlow's batch normalisation


class _Convolution(nn.Module):
    """Convolution, ReLU and batch normalisation, padded in time to keep the length."""

    def __init__(self, inputs: int, outputs: int, height: int, length: int) -> None:
        super().__init__()
        self.padding = ((length - 1) // 2, length // 2)  # TensorFlow's padding of even kernels
        self.convolution = nn.Conv2d(inputs, outputs, (height, length))
        self.normalisation = nn.BatchNorm2d(outputs, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve: (B, inputs, F, T) -> (B, outputs, F - height + 1, T)."""
        return self.normalisation(self.convolution(pad(x, self.padding)).relu())


class MusiCNN(nn.Module):
    """Computes features and tags from a log-mel spectrogram in dB (`songnet.features.log_mel`)."""

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.BatchNorm2d(1, EPSILON)
        shapes = [(TIMBRAL, height, 7) for height in HEIGHTS]
        shapes += [(TEMPORAL, 1, length) for length in LENGTHS]
        self.front = nn.ModuleList(_Convolution(1, *shape) for shape in shapes)
        inputs = (FRONT, MIDDLE, MIDDLE)
        self.middle = nn.ModuleList(_Convolution(n, MIDDLE, 1, 7) for n in inputs)
        self.pooled = nn.BatchNorm1d(2 * MAPS, EPSILON)
        self.dense = nn.Linear(2 * MAPS, 200)
        self.normalisation = nn.BatchNorm1d(200, EPSILON)
        self.output = nn.Linear(200, len(TAGS))

    def maps(self, spectrogram: Tensor) -> Tensor:
        """Compute the features of each frame: (B, BANDS, T) in dB -> (B, MAPS, T)."""
        x = self.input(spectrogram[:, None] / 10 + 4)  # dB to log10(1 + 10^4 power)
        front = torch.cat([layer(x).amax(2) for layer in self.front], dim=1)
        first, second, third = (self._middle(i) for i in range(3))
        one = first(front)
        two = second(one) + one
        three = third(two) + two
        return torch.cat([front, one, two, three], dim=1)

    def _middle(self, i: int) -> Any:
        return lambda x: self.middle[i](x[:, :, None])[:, :, 0]

    def penultimate(self, pooled: Tensor) -> Tensor:
        """Compute features from the maximum and mean of maps: (B, MAPS, 2) -> (B, 200)."""
        features: Tensor = self.normalisation(self.dense(self.pooled(pooled.flatten(1))).relu())
        return features

    def tags(self, penultimate: Tensor) -> Tensor:
        """Compute the logits of TAGS: (B, 200) -> (B, 50)."""
        logits: Tensor = self.output(penultimate)
        return logits


def convert(tensors: dict[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """Convert the tensors of musicnn's TensorFlow checkpoint to the state of `MusiCNN`.

    Args:
        tensors: tensors from `songnet.models.tf_checkpoint.read_checkpoint`.
    """
    convolutions = [*(f"front.{i}" for i in range(5)), *(f"middle.{i}" for i in range(3))]
    normalisations = ["input", *(f"{name}.normalisation" for name in convolutions), "pooled"]
    places = dict(zip(_numbered("batch_normalization", 11), [*normalisations, "normalisation"],
                      strict=True))  # fmt: skip
    places |= {
        name: f"{place}.convolution"
        for name, place in zip(_numbered("conv2d", 8), convolutions, strict=True)
    }
    places |= {"dense": "dense", "dense_1": "output"}
    names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "kernel": "weight",
             "moving_variance": "running_var", "bias": "bias"}  # fmt: skip
    state = {}
    for name, values in tensors.items():
        layer, _, field = name.partition("/")
        if layer in places and field in names:
            state[f"{places[layer]}.{names[field]}"] = _shaped(torch.tensor(values), layer)
    return state


def _numbered(name: str, count: int) -> list[str]:
    """Return TensorFlow's names for layers of one kind."""
    return [name, *(f"{name}_{i}" for i in range(1, count))]


def _shaped(values: Tensor, layer: str) -> Tensor:
    """Transpose weights to torch's order of axes."""
    if values.ndim == 4 and re.fullmatch("conv2d_[567]", layer):  # (T, inputs, 1, outputs)
        return values.permute(3, 1, 2, 0).contiguous()
    if values.ndim == 4:  # (T, F, 1, outputs)
        return values.permute(3, 2, 1, 0).contiguous()
    return values.T.contiguous() if values.ndim == 2 else values
