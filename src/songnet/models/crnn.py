"""The poster's C-RNN: convolutions detect local patterns, a recurrent layer their sequence."""

import torch
from torch import Tensor, nn

from songnet.models.base import Network, Outputs
from songnet.models.configs import CRNNConfig


class CRNN(Network):
    """Convolution blocks over time, a recurrent layer, and genre probabilities at every step.

    The bands are the input channels of the first convolution, as on the poster. The probabilities
    of a clip are the mean over its steps.
    """

    def __init__(self, config: CRNNConfig) -> None:
        super().__init__(config)
        blocks: list[nn.Module] = []
        width = config.n_bands
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

    def forward_normalised(self, normalised: Tensor, metadata: Tensor | None = None) -> Outputs:
        """Compute outputs for spectrograms (B, M, T) in dB; metadata are not used."""
        x = self.convolutions(self.standardise(normalised))  # (B, channels, steps)
        x, _ = self.recurrence(x.transpose(1, 2))  # (B, steps, hidden)
        step_logits = self.output(x).float().log_softmax(dim=-1)  # (B, steps, C)
        counts = torch.arange(1, x.shape[1] + 1, device=x.device)[:, None]
        clip_logits = step_logits.logcumsumexp(dim=1) - counts.log()
        return Outputs(step_logits, clip_logits, x.float().cumsum(dim=1) / counts)

    @property
    def frames_per_step(self) -> int:
        """Number of frames in a step."""
        return int(self.config.pool ** len(self.config.channels))
