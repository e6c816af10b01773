"""Distillation: while a network learns genres, it also learns to predict a teacher's embeddings.

Sources: A. Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015; D. Chen et al.,
"Knowledge Distillation with the Reused Teacher Classifier", CVPR 2022.
"""

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from songnet.errors import SongNetError
from songnet.models.base import Network
from songnet.models.heads import LinearHead

FARTHEST = 4.0  # standard deviations from the mean at which targets are clipped
CONSTANT = 1e-4  # standard deviation, relative to the largest, below which a dimension is constant
HEAD_STRENGTH = 0.01  # C of the head's logistic regression
Labels = NDArray[np.int64]


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
        std = torch.from_numpy(np.nanstd(targets, axis=0))
        # Constant dimensions, two thirds of musicnn's, become 0 instead of rounding errors.
        self.register_buffer("std", std.where(std > CONSTANT * std.max(), torch.inf))

    def forward(self, embeddings: Tensor, targets: Tensor) -> Tensor:
        """Compute the squared errors of each step; 0 for clips without a teacher's embedding.

        Args:
            embeddings: (B, steps, hidden) embeddings of the network.
            targets: (B, D) embeddings of the teacher.

        Returns:
            (B, steps, D) squared errors of standardised targets.
        """
        standard = self.standardised(targets)[:, None]
        errors: Tensor = (self.layer(embeddings) - standard.nan_to_num()) ** 2
        return errors.masked_fill(standard.isnan(), 0)

    def standardised(self, targets: Tensor) -> Tensor:
        """Standardise and clip embeddings of the teacher, (n, D)."""
        return ((targets - self.mean) / self.std).clamp(-FARTHEST, FARTHEST)

    @torch.no_grad()
    def give_head(self, network: Network, head: LinearHead) -> None:
        """Let a network classify with a head on the teacher's embeddings.

        The head is applied to the network's predictions of them. Both maps are linear, so their
        composition replaces the weights of the network's outputs.

        Args:
            network: causal C-RNN without metadata, whose outputs are replaced.
            head: from `fit_teacher_head`.
        """
        weights = head.output.weight / head.std
        bias = head.output.bias - weights @ head.mean
        for output in cast("list[nn.Linear]", [network.step_output, network.clip_output]):
            output.weight.copy_(weights @ self.layer.weight)
            output.bias.copy_(weights @ self.layer.bias + bias)


def fit_teacher_head(teacher: Teacher, targets: NDArray[np.float32], labels: Labels) -> LinearHead:
    """Fit logistic regression to the teacher's standardised embeddings.

    Args:
        teacher: of the network in training.
        targets: (n, D) embeddings of the training clips; nan where unknown.
        labels: (n,) genre indices.

    Raises:
        SongNetError: no clip of a genre has an embedding.
    """
    from songnet.models.head_fitting import fit_head  # scikit-learn takes a second

    known = np.isfinite(targets).all(axis=1)
    if set(labels) != set(labels[known]):
        raise SongNetError("teacher: no training track of some genre has an embedding")
    standard = teacher.standardised(torch.from_numpy(targets[known])).numpy()
    head = fit_head("logistic_regression", HEAD_STRENGTH, standard, labels[known], seed=0)
    assert isinstance(head, LinearHead)
    return head.requires_grad_(False)


def teacher_for(network: Network, targets: NDArray[np.float32]) -> Teacher | None:
    """Build the teacher of a network; None if there are no targets."""
    return Teacher(network.config.hidden, targets) if len(targets) else None
