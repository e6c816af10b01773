"""Choose a head on the validation subset, and predict validation tracks without bias."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax
from tqdm import tqdm

from songnet.models.baselines import fit_temperature
from songnet.models.head_fitting import Array, fit_head
from songnet.models.heads import Head


@dataclass(frozen=True)
class ChosenHead:
    """A head and how it was chosen."""

    head: Head
    kind: str
    strength: float
    losses: dict[str, float]  # validation log-loss of every candidate
    validation: NDArray[np.float64]  # (n, genres) cross-fitted log-probabilities


def choose_head(
    candidates: dict[str, list[float]],
    training: tuple[Array, NDArray[np.int64]],
    validation: tuple[Array, NDArray[np.int64]],
    halves: NDArray[np.bool_],
    seed: int,
    progress: str = "heads",
) -> ChosenHead:
    """Fit all candidates on training tracks, and keep the one with the lowest validation loss.

    Each half of the validation tracks is predicted by the candidate that is best on the other half.

    Args:
        candidates: regularisation strengths to try for each kind of head.
        training: embeddings (n, D) and labels (n,).
        validation: embeddings (n, D) and labels (n,).
        halves: (n,) from `songnet.data.subsets.artist_halves`.
        seed: random seed of the heads.
        progress: label of the progress bar.
    """
    named = [(kind, strength) for kind, values in candidates.items() for strength in values]
    bar = tqdm(named, desc=progress, unit="head", disable=None)
    heads = [fit_head(kind, strength, *training, seed) for kind, strength in bar]
    scores = [_scores(head, validation[0]) for head in heads]
    everything = np.ones_like(halves)
    losses, temperatures = _losses(scores, validation[1], everything)
    best = int(np.argmin(losses))
    heads[best].temperature.fill_(temperatures[best])
    logs = np.empty_like(scores[0])
    for part in (halves, ~halves):
        other = ~part if part.any() and not part.all() else everything
        own_losses, own_temperatures = _losses(scores, validation[1], other)
        i = int(np.argmin(own_losses))
        logs[part] = log_softmax(scores[i][part] / own_temperatures[i], axis=1)
    names = [f"{kind} {strength:g}" for kind, strength in named]
    by_name = dict(zip(names, [round(loss, 4) for loss in losses], strict=True))
    return ChosenHead(heads[best], *named[best], by_name, logs)


@torch.inference_mode()
def _scores(head: Head, X: Array) -> NDArray[np.float64]:
    standard = (torch.from_numpy(X) - head.mean) / head.std
    return head.scores(standard).numpy().astype(float)


def _losses(
    scores: list[NDArray[np.float64]], labels: NDArray[np.int64], where: NDArray[np.bool_]
) -> tuple[list[float], list[float]]:
    """Return each candidate's log-loss on some tracks at its best temperature, and that."""
    results: Any = []
    for head_scores in scores:
        temperature = fit_temperature(head_scores[where], labels[where])
        logs = log_softmax(head_scores[where] / temperature, axis=1)
        results.append((-logs[np.arange(len(logs)), labels[where]].mean(), temperature))
    losses, temperatures = zip(*results, strict=True)
    return [float(loss) for loss in losses], list(temperatures)
