"""Tables over runs, against figures counted by hand."""

import numpy as np
import pandas as pd
import pytest

from songnet.results import Run, difference_table

TRACKS = list(range(1, 41))
ARTISTS = pd.Series([i // 4 for i in range(40)], index=TRACKS)


def run(model: str, family: str, split_seed: int, seed: int, right: set[int], val: float) -> Run:
    """A run that is right on some of its split's twenty tracks."""
    tracks = TRACKS[:20] if split_seed == 1 else TRACKS[20:]
    predictions = pd.DataFrame({"track_id": tracks, "split": "test", "genre": "Folk"})
    predictions["predicted"] = np.where(predictions["track_id"].isin(right), "Folk", "Rock")
    params = {"dataset": "d", "protocol": "artist", "model": model, "family": family}
    return Run(
        params | {"split_seed": split_seed, "seed": seed},
        {"test": {"accuracy": len(right) / 20}, "validation": {"accuracy": val}},
        predictions,
        pd.DataFrame(),
    )


def test_differences_are_paired() -> None:
    runs = [
        # The network: 12 and 16 of 20 right on the first split, 10 on the second.
        run("net", "crnn", 1, 1, set(TRACKS[:12]), 0.6),
        run("net", "crnn", 1, 2, set(TRACKS[:16]), 0.6),
        run("net", "crnn", 2, 1, set(TRACKS[20:30]), 0.6),
        run("net", "crnn", 2, 2, set(TRACKS[20:30]), 0.6),
        run("other", "crnn", 1, 1, set(TRACKS[:12]), 0.5),
        run("other", "crnn", 2, 1, set(TRACKS[20:32]), 0.5),
        # A baseline that runs once, and is better on validation: it is no network.
        run("svm", "baseline", 1, 1, set(TRACKS[:8]), 0.9),
        run("svm", "baseline", 2, 1, set(TRACKS[20:26]), 0.9),
    ]
    table = difference_table(runs, ARTISTS, 500, 0.95).set_index("model")
    assert set(table["reference"]) == {"net"}
    # (14 + 10) / 40 against 14 / 40 and 24 / 40.
    assert table.loc["svm", "difference"] == pytest.approx(10 / 40)
    assert table.loc["other", "difference"] == pytest.approx(0)
    assert table.loc["svm", ["splits_won", "splits"]].tolist() == [2, 2]
    assert table.loc["other", ["splits_won", "splits"]].tolist() == [1, 2]
    assert 0 <= table.loc["svm", "ci_low"] < 0.25 < table.loc["svm", "ci_high"] < 0.6
    assert table.loc["other", "ci_low"] < 0 < table.loc["other", "ci_high"]


def test_without_a_test_part_there_is_nothing_to_compare() -> None:
    one = run("net", "crnn", 1, 1, set(), 0.6)
    del one.metrics["test"]
    assert difference_table([one], ARTISTS, 100, 0.95).empty
