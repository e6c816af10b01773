"""The table of a run's predictions, predictions.parquet."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def prediction_table(
    tracks: pd.DataFrame,
    predicted: NDArray[np.str_],
    probabilities: NDArray[np.floating[Any]],
    genres: list[str],
) -> pd.DataFrame:
    """Build the table of predictions of one run.

    Args:
        tracks: columns track_id, split, genre.
        predicted: (n,) predicted genres.
        probabilities: (n, genres).
        genres: names of the genres.

    Returns:
        Columns track_id, split, genre, predicted, and one probability for each genre.
    """
    table = tracks[["track_id", "split", "genre"]].reset_index(drop=True)
    table["predicted"] = predicted
    return table.join(pd.DataFrame(probabilities, columns=pd.Index(genres), dtype="float32"))


def genres_of(predictions: pd.DataFrame) -> list[str]:
    """Return the genres that a run predicts, in alphabetical order, even if no track has them.

    Args:
        predictions: table from `prediction_table`.
    """
    return list(predictions.columns[4:])
