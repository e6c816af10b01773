"""A network as an MLflow model of audio files or mel-spectrograms. MLflow runs this file itself."""

import mlflow
import numpy as np
import pandas as pd


class NetworkModel(mlflow.pyfunc.PythonModel):
    """Predicts genres: of files as `songnet.load` does, of mels as the evaluation does."""

    # MLflow would take type hints for a schema, and knows none of arrays.
    def predict(self, context, model_input, params=None) -> pd.DataFrame:  # type: ignore[no-untyped-def]
        """Return ``prediction`` and one probability a genre.

        Args:
            context: of MLflow.
            model_input: a table with a column ``file``, or mel-spectrograms (clips, bands, frames)
                in dB. Of a file without a prediction, ``reason`` or ``error`` says why.
            params: not used.
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
