"""Fit heads on frozen embeddings with scikit-learn, and convert them to torch."""

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
# Standard deviation below which a dimension is constant but for float32's rounding.
OF_MEAN = 1e-5  # relative to its mean
OF_OTHERS = 1e-8  # relative to the median of the others: normalisation may leave a tiny mean


@dataclass(frozen=True)
class _Kind:
    """How to fit and convert a kind of head."""

    estimator: Callable[[float, int], Any]  # builds an estimator from strength and seed
    size: Callable[[Any], int]  # size argument of the head for a fitted estimator
    convert: Callable[[Any, Any], None]  # copies the weights of an estimator into a head


def _convert_linear(head: LinearHead, fitted: LogisticRegression) -> None:
    _set(head.output, *_for_each_genre(fitted.coef_.T, fitted.intercept_))


def _convert_mlp(head: MLPHead, fitted: MLPClassifier) -> None:
    _set(head.hidden, fitted.coefs_[0], fitted.intercepts_[0])
    _set(head.output, *_for_each_genre(fitted.coefs_[1], fitted.intercepts_[1]))


def _convert_svm(head: SVMHead, fitted: SVC) -> None:
    """Convert libsvm's dual coefficients: row i of a support vector is for its i-th opponent."""
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
    sign = -1 if head.genres == 2 else 1  # scikit-learn negates libsvm's decision for two classes
    _set(head.pairs, sign * np.column_stack(columns), sign * fitted.intercept_)
    head.supports.copy_(torch.from_numpy(fitted.support_vectors_))
    head.gamma.fill_(fitted._gamma)


def _for_each_genre(weights: Array, bias: Array) -> tuple[Array, Array]:
    """Return one column per genre; for two genres, scikit-learn only scores the second."""
    if weights.shape[1] > 1:
        return weights, bias
    return np.hstack([-weights, weights]) / 2, np.hstack([-bias, bias]) / 2


@torch.no_grad()
def _set(layer: nn.Linear, weights: Array, bias: Array) -> None:
    layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(weights.T)))
    layer.bias.copy_(torch.from_numpy(bias))


# By the names of heads. The strength is C, or the weight of the L2 penalty for the MLP.
FITTED = {
    "logistic_regression": _Kind(
        lambda C, _: LogisticRegression(C=C, max_iter=1000), lambda _: 0, _convert_linear
    ),
    "svm": _Kind(lambda C, _: SVC(C=C), lambda fitted: len(fitted.support_), _convert_svm),
    "mlp": _Kind(
        lambda alpha, seed: MLPClassifier(
            (HIDDEN,), alpha=alpha, learning_rate_init=3e-4, max_iter=60, random_state=seed
        ),
        lambda _: HIDDEN,
        _convert_mlp,
    ),
}


def fit_head(kind: str, strength: float, X: Array, labels: NDArray[np.int64], seed: int) -> Head:
    """Standardise embeddings and fit a head to them; constant dimensions have no effect.

    Args:
        kind: a name of `songnet.models.heads.HEADS`.
        strength: C of logistic regression and SVM, alpha of the MLP.
        X: (n, D) embeddings.
        labels: (n,) genre indices from 0; every genre must occur.
        seed: random seed of the MLP.
    """
    entry = FITTED[kind]
    scaler = StandardScaler().fit(X)
    # Divided by its tiny deviation, the rounding of a constant dimension would dominate the rest.
    size = np.abs(scaler.mean_)
    deviation = np.sqrt(scaler.var_)
    varying = deviation > OF_MEAN * size
    varying &= deviation > OF_OTHERS * np.median(deviation[varying]) if varying.any() else False
    scaler.scale_ = np.where(varying, scaler.scale_, np.maximum(1, size))
    with warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):
        fitted = entry.estimator(strength, seed).fit(scaler.transform(X), labels)
    head = make_head(kind, X.shape[1], len(fitted.classes_), entry.size(fitted))
    head.mean.copy_(torch.from_numpy(scaler.mean_))
    head.std.copy_(torch.from_numpy(scaler.scale_))
    entry.convert(head, fitted)
    return head.eval()
