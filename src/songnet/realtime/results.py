"""Results of classifying files, and their conversion to dictionaries and tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # pandas takes half a second to import
    import pandas as pd

CLOSE_CALL = 0.1  # predictions with a smaller margin over the second genre are unsure
FACTS = [
    "file", "seconds", "start_seconds", "classified_seconds", "lost_seconds", "prediction",
    "unsure", "reason", "error",
]  # fmt: skip


class Prediction(NamedTuple):
    """The most probable genre."""

    genre: str
    probability: float
    unsure: bool  # the second genre is nearly as probable


def predict(probabilities: NDArray[np.float32], genres: list[str]) -> Prediction:
    """Return the most probable genre, given probabilities (C,)."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    lead = probabilities[first] - probabilities[second]
    return Prediction(genres[first], float(probabilities[first]), bool(lead < CLOSE_CALL))


@dataclass(frozen=True)
class Classification:
    """Result for one file.

    Attributes:
        file: path of the file.
        error: why the file could not be read; empty otherwise.
        reason: why a readable file has no prediction; empty otherwise.
        seconds: length of the file.
        start_seconds: start of the classified excerpt.
        classified_seconds: length of the classified excerpt.
        lost_seconds: length that could not be decoded.
        prediction: most probable genre, its probability, and whether it is unsure.
        probabilities: probability of each genre.
        timeline: (seconds, genre) at each change of genre.
        embedding: (H,) float32; similar music has similar embeddings.
    """

    file: str
    error: str = ""
    reason: str = ""
    seconds: float = 0.0
    start_seconds: float = 0.0
    classified_seconds: float = 0.0
    lost_seconds: float = 0.0
    prediction: Prediction | None = None
    probabilities: dict[str, float] | None = field(default=None, repr=False)
    timeline: tuple[tuple[float, str], ...] = field(default=(), repr=False)
    embedding: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @property
    def genre(self) -> str | None:
        """The most probable genre, or None."""
        return self.prediction.genre if self.prediction else None

    @property
    def unsure(self) -> bool:
        """Whether there is no prediction, or another genre is nearly as probable."""
        return self.prediction.unsure if self.prediction else True

    def to_dict(self) -> dict[str, Any]:
        """Convert to JSON-compatible values, without the embedding; errors have two keys only."""
        if self.error:
            return {"file": self.file, "error": self.error}
        return {
            "file": self.file,
            "seconds": round(self.seconds, 3),
            "start_seconds": round(self.start_seconds, 3),
            "classified_seconds": round(self.classified_seconds, 3),
            "lost_seconds": round(self.lost_seconds, 3),
            "prediction": self.genre,
            "unsure": self.unsure,
            "reason": self.reason,
            "probabilities": self.probabilities,
            "timeline": [{"seconds": round(at, 2), "genre": genre} for at, genre in self.timeline],
        }


def to_frame(results: Sequence[Classification]) -> "pd.DataFrame":
    """Convert results to a pandas table.

    Args:
        results: results of one model.

    Returns:
        One row per file with the columns FACTS and one column of probabilities per genre.
    """
    import pandas as pd

    rows = [result.to_dict() | (result.probabilities or {}) for result in results]
    genres = {genre: None for result in results for genre in result.probabilities or {}}
    return pd.DataFrame(rows, columns=[*FACTS, *genres])
