"""Baselines fit and predict probabilities; errors of an estimator are one line with its name."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from songnet.errors import SongNetError
from songnet.models.baselines import decision_scores, feature_matrix, fit_baseline
from tests.configured import MODELS


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"CC": 3}, r"^models\.yaml: parameters of sklearn\.svm\.SVC: .*'CC'"),
        ({"C": "hot"}, r"^models\.yaml: sklearn\.svm\.SVC: The 'C' parameter of SVC must be"),
    ],
)
def test_fit_baseline_reports_wrong_parameters(parameters: dict[str, Any], message: str) -> None:
    rng = np.random.default_rng(0)
    columns = pd.MultiIndex.from_product([["mfcc"], ["mean"], range(3)])
    features = pd.DataFrame(rng.normal(size=(20, 3)), range(20), columns)
    genres = pd.Series(["Pop", "Rock"] * 10)
    subsets = pd.Series(["train"] * 14 + ["validation"] * 6)
    model = MODELS["svm"]
    assert fit_baseline(model, features, genres, subsets, 1)[1]["epoch"] == 1
    with pytest.raises(SongNetError, match=message):
        fit_baseline(model | {"parameters": parameters}, features, genres, subsets, 1)


@pytest.mark.parametrize(
    ("estimator", "parameters"),
    [
        ("sklearn.cluster.KMeans", {}),
        ("sklearn.decomposition.PCA", {}),
        ("sklearn.ensemble", {}),
        ("sklearn.neighbors.KNeighborsClassifier", {"n_neighbors": 500}),
        ("sklearn.svm.SVC", {"decision_function_shape": "ovo"}),  # a score for each pair of classes
    ],
)
def test_fit_baseline_refuses_other_estimators(estimator: str, parameters: dict[str, Any]) -> None:
    columns = pd.MultiIndex.from_product([["mfcc"], ["mean"], range(3)])
    features = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), range(20), columns)
    subsets = pd.Series(["train"] * 14 + ["validation"] * 6)
    model = {"estimator": estimator, "features": "mfcc", "parameters": parameters}
    with pytest.raises(SongNetError, match=rf"^models\.yaml: {estimator}: "):
        fit_baseline(model, features, pd.Series(["Pop", "Rock"] * 10), subsets, 1)


@pytest.mark.parametrize("genres", [["Pop", "Rock"], ["Folk", "Pop", "Rock"]])
def test_svm_probabilities_use_temperature_of_least_loss(genres: list[str]) -> None:
    rng = np.random.default_rng(1)
    truth = np.arange(150) % len(genres)
    columns = pd.MultiIndex.from_product([["mfcc"], ["mean"], range(3)])
    values = rng.normal(size=(150, 3)) + 1.2 * np.eye(3)[truth]
    features = pd.DataFrame(values, range(150), columns)
    named = pd.Series(np.array(genres)[truth])
    subsets = pd.Series(["train"] * 90 + ["validation"] * 60)
    fitted, history = fit_baseline(MODELS["svm"], features, named, subsets, 1)
    validation = features[90:]
    predictions, probabilities = fitted.predict(validation)
    assert probabilities.shape == (60, len(genres)) and fitted.genres == genres
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    right = float(np.mean(predictions == named[90:]))
    assert history["validation_accuracy"] == right > 1.2 / len(genres)

    def loss(temperature: float) -> float:
        scores = decision_scores(fitted.pipeline, feature_matrix(validation, "mfcc")) / temperature
        of_truth = scores[np.arange(60), truth[90:]]
        return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - of_truth))

    assert history["validation_loss"] == pytest.approx(loss(fitted.temperature))
    assert loss(fitted.temperature) < min(loss(fitted.temperature * f) for f in (0.8, 1.25))
    assert fitted.temperature != pytest.approx(1, abs=0.05)
