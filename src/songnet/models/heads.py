"""Heads on frozen embeddings, applied with torch; `songnet.models.head_fitting` fits them."""

import torch
from torch import Tensor, nn


class Head(nn.Module):
    """Base class of heads: embeddings (n, D) -> log-probabilities (n, C).

    Args:
        inputs: embedding dimension D.
        genres: number of genres C.
        size: number of support vectors of an SVM, or of hidden units of an MLP.
    """

    mean: Tensor
    std: Tensor
    temperature: Tensor

    def __init__(self, inputs: int, genres: int, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("std", torch.ones(inputs))
        self.register_buffer("temperature", torch.ones(()))
        self.inputs, self.genres, self.size = inputs, genres, size

    def forward(self, embeddings: Tensor) -> Tensor:
        """Compute log-probabilities: (..., D) -> (..., C)."""
        standard = (embeddings - self.mean) / self.std
        return (self.scores(standard) / self.temperature).log_softmax(-1)

    def scores(self, standard: Tensor) -> Tensor:
        """Compute scores of standardised embeddings: (..., D) -> (..., C)."""
        raise NotImplementedError


class LinearHead(Head):
    """Logistic regression."""

    def __init__(self, inputs: int, genres: int, size: int) -> None:
        super().__init__(inputs, genres, size)
        self.output = nn.Linear(inputs, genres)

    def scores(self, standard: Tensor) -> Tensor:
        """Compute scores of standardised embeddings."""
        scores: Tensor = self.output(standard)
        return scores


class MLPHead(Head):
    """A multilayer perceptron with one hidden layer."""

    def __init__(self, inputs: int, genres: int, size: int) -> None:
        super().__init__(inputs, genres, size)
        self.hidden, self.output = nn.Linear(inputs, size), nn.Linear(size, genres)

    def scores(self, standard: Tensor) -> Tensor:
        """Compute scores of standardised embeddings."""
        scores: Tensor = self.output(self.hidden(standard).relu())
        return scores


class SVMHead(Head):
    """A support vector machine with a Gaussian kernel, one for each pair of genres."""

    supports: Tensor
    gamma: Tensor
    sides: Tensor

    def __init__(self, inputs: int, genres: int, size: int) -> None:
        super().__init__(inputs, genres, size)
        first, second = torch.triu_indices(genres, genres, 1)
        self.register_buffer("supports", torch.zeros(size, inputs))
        self.register_buffer("gamma", torch.ones(()))
        self.pairs = nn.Linear(size, len(first))
        sides = nn.functional.one_hot(first, genres) - nn.functional.one_hot(second, genres)
        self.register_buffer("sides", sides.float(), persistent=False)  # (pairs, C)

    def scores(self, standard: Tensor) -> Tensor:
        """Compute votes of the pairs, with confidences that break ties, as scikit-learn does.

        For two genres, these are the decisions of their only pair.
        """
        flat = standard.reshape(-1, self.inputs)
        distances = torch.cdist(flat, self.supports, compute_mode="use_mm_for_euclid_dist")
        kernel = (-self.gamma * distances**2).exp()
        decisions = self.pairs(kernel)
        if self.genres == 2:
            return (decisions @ self.sides / 2).reshape(*standard.shape[:-1], -1)
        votes = (decisions.sign() @ self.sides + self.genres - 1) / 2
        confidences = decisions @ self.sides
        scores = votes + confidences / (3 * (confidences.abs() + 1))
        return scores.reshape(*standard.shape[:-1], -1)


# By their names in models.yaml and in weight files.
HEADS: dict[str, type[Head]] = {
    "logistic_regression": LinearHead,
    "svm": SVMHead,
    "mlp": MLPHead,
}


def make_head(kind: str, inputs: int, genres: int, size: int) -> Head:
    """Build a head without trained weights.

    Args:
        kind: a name of HEADS.
        inputs: embedding dimension.
        genres: number of genres.
        size: as for `Head`.
    """
    return HEADS[kind](inputs, genres, size)
