"""A network as an MLflow model that takes spectrograms. MLflow runs this file itself."""

from typing import Any

import mlflow
import numpy as np
import pandas as pd


class MelClassifier(mlflow.pyfunc.PythonModel):
    """Says of whole clips what the evaluation says, of metadata nothing known."""

    def load_context(self, context: Any) -> None:
        """Load the bundle that was logged with the model."""
        from songnet.models.base import load

        network, self.genres, _ = load(context.artifacts["bundle"])
        self.network = network.eval()

    # MLflow would take type hints for a schema, and knows none of arrays.
    def predict(self, context, model_input, params=None) -> pd.DataFrame:  # type: ignore[no-untyped-def]
        """Predicted genre and probabilities of each clip.

        Args:
            context: of MLflow.
            model_input: spectrograms (clips, bands, frames) in dB, float32.
            params: none.
        """
        import torch

        with torch.inference_mode():
            parts = torch.from_numpy(np.array(model_input)).split(16)
            found = torch.cat([self.network(mel).clip_logits[:, -1].exp() for mel in parts]).numpy()
        table = pd.DataFrame(found, columns=pd.Index(self.genres))
        table.insert(0, "prediction", [self.genres[i] for i in found.argmax(axis=1)])
        return table


mlflow.models.set_model(MelClassifier())
