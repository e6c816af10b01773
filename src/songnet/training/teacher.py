"""Distillation: while a network learns genres, it also learns to predict a teacher's embeddings.

Source: A. Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from songnet.models.base import Network

FARTHEST = 4.0  # standard deviations from the mean at which targets are clipped


class Teacher(nn.Module):
    """Predicts a clip's embedding by the teacher from the network's embedding, for the loss.

    Args:
        hidden: dimension of the network's embedding.
        targets: (n, D) embeddings of the training clips; nan where unknown.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, hidden: int, targets: NDArray[np.float32]) -> None:
        super().__init__()
        self.layer = nn.Linear(hidden, targets.shape[1])
        self.register_buffer("mean", torch.from_numpy(np.nanmean(targets, axis=0)))
        self.register_buffer("std", torch.from_numpy(np.nanstd(targets, axis=0)).clamp(min=1e-6))

    def forward(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        """Compute the squared errors of each step; 0 for clips without a teacher's embedding.

        Args:
            embeddings: (B, steps, hidden) embeddings of the network.
            targets: (B, D) embeddings of the teacher.

        Returns:
            (B, steps, D) squared errors of standardised targets.
        """
        standard = ((targets - self.mean) / self.std).clamp(-FARTHEST, FARTHEST)[:, None]
        errors: Tensor = (self.layer(embeddings) - standard.nan_to_num()) ** 2
        return errors.masked_fill(standard.isnan(), 0)


def teacher_for(network: Network, targets: NDArray[np.float32]) -> Teacher | None:
    """Build the teacher of a network; None if there are no targets."""
    return Teacher(network.config.hidden, targets) if len(targets) else None
