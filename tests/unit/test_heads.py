"""Heads: torch reproduces scikit-learn, and their choice does not bias the validation accuracy."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from songnet.data.subsets import artist_halves
from songnet.models.head_choice import choose_head
from songnet.models.head_fitting import FITTED, fit_head
from songnet.models.heads import HEADS

Data = tuple[NDArray[np.float32], NDArray[np.int64]]


def embeddings(tracks: int, genres: int, skill: float, seed: int = 0) -> Data:
    labels = np.arange(tracks) % genres
    noise = np.random.default_rng(seed).normal(size=(tracks, 8)) * np.arange(1, 9)
    return (noise + skill * np.eye(8)[labels]).astype(np.float32), labels


@pytest.mark.parametrize("genres", [2, 3, 5])
@pytest.mark.parametrize("kind", list(HEADS))
def test_heads_predict_as_scikit_learn(kind: str, genres: int) -> None:
    X, labels = embeddings(200, genres, 4.0)
    new = embeddings(100, genres, 4.0, seed=1)[0]
    with torch.inference_mode():
        found = fit_head(kind, 1.0, X, labels, seed=1)(torch.from_numpy(new)).numpy()
    scaler = StandardScaler().fit(X)
    with warnings.catch_warnings(category=ConvergenceWarning, action="ignore"):
        fitted = FITTED[kind].estimator(1.0, 1).fit(scaler.transform(X), labels)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-5)
    if kind != "svm":
        expected = fitted.predict_proba(scaler.transform(new))
        np.testing.assert_allclose(np.exp(found), expected, atol=1e-5)
        return
    scores = fitted.decision_function(scaler.transform(new))
    if genres == 2:
        np.testing.assert_allclose(found[:, 1] - found[:, 0], scores, atol=1e-4)
    else:
        np.testing.assert_allclose(found - found[:, :1], scores - scores[:, :1], atol=1e-4)


def test_choose_head_takes_the_least_loss_on_validation() -> None:
    training, validation = embeddings(120, 3, 6.0), embeddings(90, 3, 6.0, seed=1)
    candidates = {"logistic_regression": [1e-6, 0.1], "svm": [1.0]}
    halves = artist_halves(pd.Series(np.arange(90) // 3))
    chosen = choose_head(candidates, training, validation, halves, seed=1)
    assert list(chosen.losses) == ["logistic_regression 1e-06", "logistic_regression 0.1", "svm 1"]
    best = min(chosen.losses, key=chosen.losses.__getitem__)
    assert f"{chosen.kind} {chosen.strength:g}" == best
    with torch.inference_mode():
        logs = chosen.head(torch.from_numpy(validation[0])).numpy()
    loss = -logs[np.arange(90), validation[1]].mean()
    assert loss == pytest.approx(chosen.losses[best], abs=1e-3)
    np.testing.assert_allclose(np.exp(chosen.validation).sum(axis=1), 1)


def test_choose_head_cross_fits_validation() -> None:
    """With few tracks of noise, the best of many heads would seem better than chance."""
    measured = []
    for seed in range(60):
        training, validation = embeddings(24, 2, 0.0, seed), embeddings(24, 2, 0.0, 1000 + seed)
        halves = artist_halves(pd.Series(np.arange(24)))
        candidates = {"svm": [0.1, 1, 10, 100], "logistic_regression": [1e-4, 1.0]}
        chosen = choose_head(candidates, training, validation, halves, seed)
        measured.append(np.mean(chosen.validation.argmax(axis=1) == validation[1]))
    assert np.mean(measured) == pytest.approx(0.5, abs=0.04)


def test_choose_head_of_one_artist_is_not_cross_fitted() -> None:
    training, validation = embeddings(60, 3, 6.0), embeddings(30, 3, 6.0, seed=1)
    halves = artist_halves(pd.Series(["one"] * 30))
    chosen = choose_head({"svm": [1.0]}, training, validation, halves, seed=1)
    assert np.isfinite(chosen.validation).all()


@pytest.mark.parametrize("kind", HEADS)
@torch.inference_mode()
def test_constant_dimensions_have_no_effect(kind: str) -> None:
    """Streams round a constant differently from whole clips."""
    rng = np.random.default_rng(1)
    labels = np.arange(60) % 3
    varying = labels[:, None] + rng.normal(0, 0.3, (60, 4))
    constant = 0.3 * (1 + 1e-8 * rng.normal(size=(60, 20)))
    constant[:, 0] = -2.4e-6 + 4e-10 * rng.normal(size=60)  # as batch normalisation leaves it
    X = np.hstack([varying, constant]).astype(np.float64)
    head = fit_head(kind, 1.0 if kind != "mlp" else 1e-3, X, labels, seed=1)
    other = X.copy()
    other[:, 4:] *= 1 + 1e-6
    other[:, 4] += 2e-10
    one, two = (head(torch.from_numpy(x.astype(np.float32))) for x in (X, other))
    torch.testing.assert_close(one, two)
    assert (one.argmax(1).numpy() == labels).mean() > 0.9
