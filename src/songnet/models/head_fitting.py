"""Heads on frozen embeddings as scikit-learn fits them, taken over by torch."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from songnet.models.heads import Head, LinearHead, MLPHead, SVMHead, make_head

Array = NDArray[np.floating[Any]]
HIDDEN = 128  # units of the MLP


@dataclass(frozen=True)
class _Kind:
    """How a kind of head is fitted and taken over."""

    estimator: Callable[[float, int], Any]  # of strength and seed
    size: Callable[[Any], int]  # of the fitted estimator
    take: Callable[[Any, Any], None]  # weights of the estimator into the head


def _take_linear(head: LinearHead, fitted: LogisticRegression) -> None:
    _set(head.output, *_for_each_genre(fitted.coef_.T, fitted.intercept_))


def _take_mlp(head: MLPHead, fitted: MLPClassifier) -> None:
    _set(head.hidden, fitted.coefs_[0], fitted.intercepts_[0])
    _set(head.output, *_for_each_genre(fitted.coefs_[1], fitted.intercepts_[1]))


def _take_svm(head: SVMHead, fitted: SVC) -> None:
    """Libsvm's dual coefficients: row i of a support vector is of its genre's i-th opponent."""
    ends = np.cumsum(fitted.n_support_)
    starts = ends - fitted.n_support_
    columns = []
    for first in range(head.genres):
        for second in range(first + 1, head.genres):
            column = np.zeros(head.size)
            one, other = (slice(starts[i], ends[i]) for i in (first, second))
            column[one] = fitted.dual_coef_[second - 1, one]
            column[other] = fitted.dual_coef_[first, other]
            columns.append(column)
    sign = -1 if head.genres == 2 else 1  # scikit-learn turns the one decision around
    _set(head.pairs, sign * np.column_stack(columns), sign * fitted.intercept_)
    head.supports.copy_(torch.from_numpy(fitted.support_vectors_))
    head.gamma.fill_(fitted._gamma)


def _for_each_genre(weights: Array, bias: Array) -> tuple[Array, Array]:
    """Two columns for two genres, of which scikit-learn scores the second alone."""
    if weights.shape[1] > 1:
        return weights, bias
    return np.hstack([-weights, weights]) / 2, np.hstack([-bias, bias]) / 2


@torch.no_grad()
def _set(layer: nn.Linear, weights: Array, bias: Array) -> None:
    layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weights.T)))
    layer.bias.copy_(torch.from_numpy(bias))


# The names of heads; strengths are C, and of the MLP the weight of its L2 penalty.
FITTED = {
    "logistic_regression": _Kind(
        lambda C, _: LogisticRegression(C=C, max_iter=1000), lambda _: 0, _take_linear
    ),
    "svm": _Kind(lambda C, _: SVC(C=C), lambda fitted: len(fitted.support_), _take_svm),
    "mlp": _Kind(
        lambda alpha, seed: MLPClassifier(
            (HIDDEN,), alpha=alpha, learning_rate_init=3e-4, max_iter=60, random_state=seed
        ),
        lambda _: HIDDEN,
        _take_mlp,
    ),
}


def fit_head(kind: str, strength: float, X: Array, labels: NDArray[np.int64], seed: int) -> Head:
    """Fit a head to standardised embeddings.

    Args:
        kind: a name of HEADS.
        strength: C of logistic regression and SVM, alpha of the MLP.
        X: (n, D).
        labels: (n,) from 0; every genre occurs.
        seed: of the MLP.
    """
    known = FITTED[kind]
    scaler = StandardScaler().fit(X)
    with warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):
        fitted = known.estimator(strength, seed).fit(scaler.transform(X), labels)
    head = make_head(kind, X.shape[1], len(fitted.classes_), known.size(fitted))
    head.mean.copy_(torch.from_numpy(scaler.mean_))
    head.std.copy_(torch.from_numpy(scaler.scale_))
    known.take(head, fitted)
    return head.eval()
