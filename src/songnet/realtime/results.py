"""What the classification of a file gives: small typed objects, as dictionaries and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # it takes half a second to load
    import pandas as pd

CLOSE_CALL = 0.1  # a lead of less than this over the second genre is no sure prediction
FACTS = [
    "file", "seconds", "start_seconds", "classified_seconds", "lost_seconds", "prediction",
    "unsure", "reason", "error",
]  # fmt: skip


class Prediction(NamedTuple):
    """The likeliest genre."""

    genre: str
    probability: float
    unsure: bool  # the second genre is nearly as likely


def predict(probabilities: NDArray[np.float32], genres: list[str]) -> Prediction:
    """Name the likeliest genre of (C,) probabilities."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    lead = probabilities[first] - probabilities[second]
    return Prediction(genres[first], float(probabilities[first]), bool(lead < CLOSE_CALL))


@dataclass(frozen=True)
class Classification:
    """What one file is, or why that is not known.

    Attributes:
        file: its name.
        error: what is wrong with a file that cannot be read.
        reason: why a file that can be read has no prediction.
        seconds: length of the file.
        start_seconds: where the part begins that was classified.
        classified_seconds: length of that part.
        lost_seconds: length that could not be decoded.
        prediction: likeliest genre, its probability, and whether another one is nearly as likely.
        probabilities: of each genre.
        timeline: (seconds, genre) wherever the music turns to another genre.
        embedding: (H,) float32 that describes the music: similar music has similar ones.
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
        """The likeliest genre."""
        return self.prediction.genre if self.prediction else None

    @property
    def unsure(self) -> bool:
        """Whether there is no prediction, or another genre is nearly as likely."""
        return self.prediction.unsure if self.prediction else True

    def to_dict(self) -> dict[str, Any]:
        """Values that JSON can hold, without the embedding; of an error, only file and error."""
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
    """Gather results in a table.

    Args:
        results: of one model.

    Returns:
        One row a file with the columns FACTS, then the probability of each genre under its name.
    """
    import pandas as pd

    rows = [result.to_dict() | (result.probabilities or {}) for result in results]
    genres = {genre: None for result in results for genre in result.probabilities or {}}
    return pd.DataFrame(rows, columns=[*FACTS, *genres])
