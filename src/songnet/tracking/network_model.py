"""MLflow model of a network, for audio files or mel-spectrograms; MLflow executes this file."""

import mlflow
import numpy as np
import pandas as pd


class NetworkModel(mlflow.pyfunc.PythonModel):
    """Predicts the genres of audio files, as `songnet.load` does, or of mel-spectrograms."""

    # No type hints, since MLflow derives a schema from them and does not support arrays.
    def predict(self, context, model_input, params=None) -> pd.DataFrame:  # type: ignore[no-untyped-def]
        """Predict genres.

        Args:
            context: MLflow's context with the artifacts.
            model_input: table with the column ``file``, or mel-spectrograms (clips, bands, frames)
                in dB.
            params: not used.

        Returns:
            ``prediction`` and the probability of each genre. For a file without a prediction,
            ``reason`` or ``error`` explains why.
        """
        predict = _predict_files if isinstance(model_input, pd.DataFrame) else _predict_mels
        return predict(context.artifacts["network"], model_input)


def _predict_files(path: str, table: pd.DataFrame) -> pd.DataFrame:
    import songnet

    found = songnet.to_frame(songnet.load(path).classify(table["file"]))
    return found.drop(columns=["file"])


def _predict_mels(path: str, mels: np.ndarray) -> pd.DataFrame:
    import torch

    from songnet.models.base import load

    network, genres, _ = load(path)
    with torch.inference_mode():
        batches = torch.from_numpy(np.array(mels)).split(16)
        probabilities = torch.cat([network(batch).clip_logits[:, -1].exp() for batch in batches])
    table = pd.DataFrame(probabilities.numpy(), columns=pd.Index(genres))
    table.insert(0, "prediction", table.idxmax(axis=1))
    return table


mlflow.models.set_model(NetworkModel())
