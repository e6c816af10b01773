"""Late fusion: the formula of the pool, and weights fitted on validation only."""

import numpy as np
import pandas as pd
import pytest

from songnet.models.fusion import fit_weights, fuse, fuse_runs

GENRES = ["Folk", "Pop", "Rock"]
ARTISTS = pd.Series(range(300)) // 5


def test_fuse_is_normalised_product_of_powers() -> None:
    a, b = np.array([[0.7, 0.2, 0.1]]), np.array([[0.2, 0.5, 0.3]])
    expected = a**0.8 * b**0.3
    np.testing.assert_allclose(
        fuse([a, b], np.array([0.8, 0.3])), expected / expected.sum(), rtol=1e-12
    )


def test_fit_weights_prefers_informative_member() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 400)
    knows = rng.dirichlet(np.ones(3), 400)
    knows[np.arange(400), truth] += 1
    knows /= knows.sum(axis=1, keepdims=True)
    guesses = rng.dirichlet(np.ones(3), 400)
    weights = fit_weights([knows, guesses], truth)
    assert weights[0] > 0.5 and weights[1] == pytest.approx(0, abs=0.1)


def test_fit_weights_of_random_member_is_positive() -> None:
    """With all weights at zero, every track would be predicted as the first genre."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        guesses = rng.dirichlet(np.ones(3), 16)
        weights = fit_weights([guesses], rng.integers(0, 3, 16))
        np.testing.assert_array_equal(fuse([guesses], weights).argmax(1), guesses.argmax(1))


def table(seed: int, skill: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = np.arange(300) % 3
    probabilities = rng.dirichlet(np.ones(3), 300)
    probabilities[np.arange(300), truth] += skill
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    out = pd.DataFrame({"track_id": np.arange(300), "genre": np.array(GENRES)[truth]})
    out["split"] = np.where(np.arange(300) < 150, "validation", "test")
    out["predicted"] = np.array(GENRES)[probabilities.argmax(axis=1)]
    return out.join(pd.DataFrame(probabilities, columns=pd.Index(GENRES)))


def accuracy(predictions: pd.DataFrame) -> float:
    return float((predictions["genre"] == predictions["predicted"]).mean())


def test_fuse_runs_beats_members_without_test_labels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([1.0, 3.5, 0.0, 0.0])
    monkeypatch.setattr("songnet.models.fusion.time.perf_counter", lambda: next(clock))
    runs = {"a": [table(1, 0.4), table(2, 0.4)], "b": [table(3, 0.4)]}
    fusion = fuse_runs(runs, ARTISTS, 60.0)
    assert accuracy(fusion.predictions) > max(accuracy(t) for ts in runs.values() for t in ts)
    assert set(fusion.weights) == {"a", "b"}
    # A fusion's training time includes that of its members.
    assert fusion.history["seconds"].item() == 62.5
    for tables in runs.values():
        for one in tables:
            one.loc[one["split"] == "test", "genre"] = "Folk"
    assert fuse_runs(runs, ARTISTS, 0.0).weights == fusion.weights


def test_fuse_runs_validation_accuracy_is_cross_fitted() -> None:
    """With random members, weights fitted on the same tracks would beat chance."""
    members = [noise(seed) for seed in range(1000, 1300, 6)]
    fusions = [fuse_runs(runs, ARTISTS, 0.0) for runs in members]
    measured = [fusion.history["validation_accuracy"].item() for fusion in fusions]
    flattered = [
        fitted_on_all(fusion.predictions, runs)
        for fusion, runs in zip(fusions, members, strict=True)
    ]
    assert np.mean(measured) == pytest.approx(1 / 3, abs=0.02)
    assert np.mean(flattered) > 1 / 3 + 0.02


def noise(seed: int) -> dict[str, list[pd.DataFrame]]:
    return {f"m{i}": [table(seed + i, 0.0)] for i in range(6)}


def fitted_on_all(predictions: pd.DataFrame, runs: dict[str, list[pd.DataFrame]]) -> float:
    validation = (predictions["split"] == "validation").to_numpy()
    members = [tables[0].loc[validation, GENRES].to_numpy() for tables in runs.values()]
    truth = np.searchsorted(GENRES, predictions["genre"][validation])
    fused = fuse(members, fit_weights(members, truth))
    return float(np.mean(fused.argmax(axis=1) == truth))
