"""The poster's C-RNN: convolutions find local patterns, a recurrent layer follows them in time."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from songnet.files import replacing


@dataclass(frozen=True)
class CRNNConfig:
    """Sizes of the network. M mel bands, C genres."""

    n_mels: int
    n_genres: int
    channels: list[int] = field(default_factory=lambda: [64, 64, 64])
    kernel: int = 5  # frames
    pool: int = 2  # frames are halved after each block
    hidden: int = 96
    dropout: float = 0.2


class CRNN(nn.Module):
    """Three blocks of convolution over time, a recurrent layer, genre probabilities at every step.

    Mel bands are the channels of the first convolution, as on the poster.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: CRNNConfig) -> None:
        super().__init__()
        self.config = config
        # Statistics of the training part, for each mel band, in dB.
        self.register_buffer("mean", torch.zeros(config.n_mels, 1))
        self.register_buffer("std", torch.ones(config.n_mels, 1))
        blocks: list[nn.Module] = []
        width = config.n_mels
        for channels in config.channels:
            blocks += [
                nn.Conv1d(width, channels, config.kernel, padding=config.kernel // 2),
                nn.BatchNorm1d(channels),
                nn.ReLU(),
                nn.MaxPool1d(config.pool),
                nn.Dropout(config.dropout),
            ]
            width = channels
        self.convolutions = nn.Sequential(*blocks)
        self.recurrence = nn.GRU(width, config.hidden, batch_first=True)
        self.output = nn.Linear(config.hidden, config.n_genres)

    def forward(self, mel: Tensor) -> Tensor:
        """Log-probabilities at every step: (B, M, T) in dB -> (B, T / pool**blocks, C)."""
        x = (mel - self.mean) / self.std  # (B, M, T)
        x = self.convolutions(x)  # (B, channels, steps)
        x, _ = self.recurrence(x.transpose(1, 2))  # (B, steps, hidden)
        return self.output(x).log_softmax(dim=-1)  # (B, steps, C)

    @property
    def frames_per_step(self) -> int:
        """Frames that one step covers; no shorter clip gives a step."""
        return int(self.config.pool ** len(self.config.channels))


def clip_log_probabilities(steps: Tensor) -> Tensor:
    """Logarithm of the mean probability over steps: (B, steps, C) -> (B, C)."""
    return steps.logsumexp(dim=1) - torch.log(torch.tensor(steps.shape[1]))


def save(model: CRNN, genres: list[str], facts: dict[str, Any], path: str | Path) -> None:
    """Write weights as safetensors, with configuration, genre names and facts as metadata."""
    metadata = {"config": asdict(model.config), "genres": genres, "facts": facts}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, {name: json.dumps(value) for name, value in metadata.items()})


def load(path: str | Path) -> tuple[CRNN, list[str]]:
    """Read what `save` wrote, without pickle: the network, ready to predict, and its genres."""
    with safe_open(path, framework="pt") as file:
        metadata = {name: json.loads(value) for name, value in file.metadata().items()}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    model = CRNN(CRNNConfig(**metadata["config"]))
    model.load_state_dict(tensors)
    return model.eval(), metadata["genres"]
