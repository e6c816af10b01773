"""The poster's baselines: scikit-learn estimators on FMA's features."""

import importlib
import inspect
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from songnet.data.subsets import check_every_genre
from songnet.errors import SongNetError
from songnet.io import replacing

Array = NDArray[np.float64]


@dataclass
class Baseline:
    """A fitted pipeline with everything needed to apply it.

    ``temperature`` divides the scores of estimators without probabilities, such as SVC, and is
    fitted on the validation subset (Guo et al., "On Calibration of Modern Neural Networks", 2017).
    """

    pipeline: Pipeline
    genres: list[str]
    features: str
    temperature: float = 1.0

    def predict(self, features: pd.DataFrame) -> tuple[NDArray[np.str_], Array]:
        """Return the estimator's predicted genres (n,) and probabilities (n, genres)."""
        X = feature_matrix(features, self.features)
        predicted = self.pipeline.predict(X)
        if hasattr(self.pipeline, "predict_proba"):
            return predicted, self.pipeline.predict_proba(X)
        return predicted, softmax(decision_scores(self.pipeline, X) / self.temperature, axis=1)


def feature_matrix(features: pd.DataFrame, kind: str) -> NDArray[np.float32]:
    """Return the features (n, columns): FMA's 140 MFCC columns for ``mfcc``, else all columns."""
    table = features["mfcc"] if kind == "mfcc" else features
    return table.to_numpy(np.float32)


def decision_scores(pipeline: Pipeline, X: NDArray[np.float32]) -> Array:
    """Return decision scores with one column for each genre, also for only two genres."""
    scores = pipeline.decision_function(X)
    return scores if scores.ndim == 2 else np.column_stack([-scores, scores]) / 2


def make_estimator(model: dict[str, Any], seed: int) -> Any:
    """Build the estimator that an entry of models.yaml describes.

    Raises:
        SongNetError: its import path or its parameters are invalid.
    """
    path, parameters = model["estimator"], dict(model.get("parameters") or {})
    module, _, name = path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise SongNetError(f"models.yaml: estimator {path!r} cannot be imported") from None
    if "random_state" in inspect.signature(cls).parameters:
        parameters["random_state"] = seed
    try:
        return cls(**parameters)
    except TypeError as error:
        raise SongNetError(f"models.yaml: parameters of {path}: {error}") from None


def fit_baseline(
    model: dict[str, Any], features: pd.DataFrame, genres: pd.Series, subsets: pd.Series, seed: int
) -> tuple[Baseline, dict[str, float]]:
    """Fit an estimator on the standardised features of the training subset.

    Args:
        model: entry of models.yaml.
        features: index track_id, columns (feature, statistics, number).
        genres: genre of each track.
        subsets: subset of each track: train, validation or test; test tracks are not used.
        seed: random_state of the estimator.

    Returns:
        The fitted baseline and its history with one row: seconds, and accuracy and loss on training
        and validation tracks.

    Raises:
        SongNetError: the estimator is not a classifier, or rejects its arguments or the features.
    """
    try:
        return _fit(model, features, genres, subsets, seed)
    # scikit-learn checks arguments in fit(); estimators that do not classify lack attributes.
    except (ValueError, TypeError, AttributeError) as error:
        raise SongNetError(f"models.yaml: {model['estimator']}: {error}") from None


def _fit(
    model: dict[str, Any], features: pd.DataFrame, genres: pd.Series, subsets: pd.Series, seed: int
) -> tuple[Baseline, dict[str, float]]:
    start = time.perf_counter()
    subsets = subsets.reindex(features.index)  # the official split may omit tracks
    known, validation = features[subsets == "train"], features[subsets == "validation"]
    train = known.dropna()
    check_every_genre(genres[train.index], genres[known.index], model["features"])
    # Tracks missing from a user's table get the mean of the training subset.
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), make_estimator(model, seed))
    pipeline.fit(feature_matrix(train, model["features"]), genres[train.index])
    names = [str(genre) for genre in pipeline.classes_]
    baseline = Baseline(pipeline, names, model["features"])
    if not hasattr(pipeline, "predict_proba"):
        scores = decision_scores(pipeline, feature_matrix(validation, model["features"]))
        if getattr(pipeline[-1], "decision_function_shape", "ovr") != "ovr":
            raise ValueError("decision_function_shape must be ovr, with a score for each genre")
        truth = np.searchsorted(pipeline.classes_, genres[validation.index])
        baseline.temperature = fit_temperature(scores, truth)
    history = {"epoch": 1.0, "seconds": round(time.perf_counter() - start, 3)}
    for subset, table in [("train", train), ("validation", validation)]:
        predicted, probabilities = baseline.predict(table)
        truth = np.searchsorted(names, genres[table.index])
        of_truth = probabilities[np.arange(len(truth)), truth]
        history[f"{subset}_loss"] = float(-np.log(np.maximum(of_truth, 1e-12)).mean())
        history[f"{subset}_accuracy"] = float((predicted == genres[table.index].to_numpy()).mean())
    return baseline, history


def fit_temperature(scores: Array, truth: NDArray[np.int64]) -> float:
    """Fit the divisor of scores (n, genres) that minimises the log-loss of true genres (n,)."""

    def loss(log_temperature: float) -> float:
        logs = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-logs[np.arange(len(truth)), truth].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 3), method="bounded").x))


def save(baseline: Baseline, path: str | Path) -> None:
    """Write a baseline with joblib, as scikit-learn recommends."""
    with replacing(path) as temporary:
        joblib.dump(baseline, temporary)


def load(path: str | Path) -> Baseline:
    """Load a baseline written by `save`; unsafe for files from others, since joblib uses pickle."""
    baseline: Baseline = joblib.load(path)
    return baseline


class Predictor:
    """Applies saved baselines to the same tracks.

    Args:
        data: path of features/fma.parquet, as a list of one.
        tracks: tracks to predict, rows of tracks.parquet.
        threads: ignored.
    """

    def __init__(self, data: list[str], tracks: pd.DataFrame, threads: int = 1) -> None:
        self._features = pd.read_parquet(data[0]).loc[tracks.index]

    def predict(self, path: str) -> tuple[list[str], NDArray[np.str_], Array]:
        """Return genres, predicted genres (n,) and probabilities (n, genres) of one baseline."""
        baseline = load(path)
        return baseline.genres, *baseline.predict(self._features)
