"""What an estimator refuses is one line that names it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from songnet.baselines import fit_baseline
from songnet.errors import SongNetError
from tests.configured import MODELS


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"CC": 3}, r"^models\.yaml: parameters of sklearn\.svm\.SVC: .*'CC'"),
        ({"C": "hot"}, r"^models\.yaml: sklearn\.svm\.SVC: The 'C' parameter of SVC must be"),
    ],
)
def test_wrong_arguments_are_named(parameters: dict[str, Any], message: str) -> None:
    rng = np.random.default_rng(0)
    columns = pd.MultiIndex.from_product([["mfcc"], ["mean"], range(3)])
    features = pd.DataFrame(rng.normal(size=(20, 3)), range(20), columns)
    genres = pd.Series(["Pop", "Rock"] * 10)
    parts = pd.Series(["train"] * 14 + ["validation"] * 6)
    model = MODELS["svm"]
    assert fit_baseline(model, features, genres, parts, 1)[1]["epoch"] == 1
    with pytest.raises(SongNetError, match=message):
        fit_baseline(model | {"parameters": parameters}, features, genres, parts, 1)
