"""The network as an MLflow model that takes names of audio files. MLflow runs this file itself."""

from typing import Any

import mlflow
import pandas as pd


class AudioClassifier(mlflow.pyfunc.PythonModel):
    """Says of audio files what `songnet classify` says."""

    def load_context(self, context: Any) -> None:
        """Load the bundle that was logged with the model."""
        from songnet.realtime.stream import load_model

        self.model = load_model(context.artifacts["bundle"])

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Predicted genre and probabilities of each file; a reason or an error where there is none.

        Args:
            context: of MLflow.
            model_input: column ``file``.
            params: none.
        """
        from songnet.realtime.classify import classify_files

        rows = []
        for result in classify_files(self.model, list(model_input["file"]), jobs=1):
            predicted = result.prediction.genre if result.prediction else None
            facts = {"prediction": predicted, "reason": result.reason, "error": result.error}
            rows.append(facts | (result.probabilities or {}))
        return pd.DataFrame(rows)


mlflow.models.set_model(AudioClassifier())
