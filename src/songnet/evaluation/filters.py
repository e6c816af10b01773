"""Convolutional filters that discriminate genres, and the excerpts that activate them most.

The method follows Dieleman, "Recommending music on Spotify with deep learning", 2014, section "What
is it learning?".
"""

from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import f_oneway
from torch import Tensor, cat, nn
from torch.nn.functional import avg_pool1d
from torch.utils.hooks import RemovableHandle

from songnet.data.batches import Subset
from songnet.data.shards import MelShards
from songnet.models.base import Network
from songnet.training.predict import clip_outputs, predict_clips

Labels = NDArray[np.int64]


class Activity(NamedTuple):
    """Activations of the filters of one layer on n clips."""

    strength: NDArray[np.float32]  # (n, filters) mean over the most activating excerpt of the clip
    start: NDArray[np.float32]  # (n, filters) start of that excerpt, seconds


class Excerpt(NamedTuple):
    """An excerpt of a clip that activates a filter strongly."""

    track_id: int
    start: float  # seconds


class Filter(NamedTuple):
    """One filter of one layer; both are numbered from 1."""

    layer: int
    number: int
    f_statistic: float  # F statistic of its strength between genres (ANOVA); 0 if undefined
    accuracy_lost: float  # decrease in accuracy when the filter is zeroed, as a fraction
    genres: dict[str, float]  # genre fractions among the 10 % of clips with the highest strength
    excerpts: list[Excerpt]


def layer_activities(
    network: Network, shards: MelShards, subset: Subset, excerpt_seconds: float
) -> list[Activity]:
    """Measure the activations of every filter of every layer on whole clips."""
    outputs: dict[nn.Module, Tensor] = {}

    def keep(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        outputs[layer] = output.cpu()

    places, batches = [], []
    with ExitStack() as hooks:
        for layer in network.layers:
            hooks.enter_context(layer.register_forward_hook(keep))
        for at, _ in clip_outputs(network, shards, subset.track_ids, subset.metadata):
            seconds = shards.frames(int(subset.track_ids[at[0]])) / shards.frames_per_second
            places.append(at)
            batches.append(
                [_loudest(outputs[layer], seconds, excerpt_seconds) for layer in network.layers]
            )
    order = np.argsort(np.concatenate(places))
    return [
        Activity(*(cat(values).numpy()[order] for values in zip(*layer, strict=True)))
        for layer in zip(*batches, strict=True)
    ]


def _loudest(output: Tensor, seconds: float, excerpt_seconds: float) -> tuple[Tensor, Tensor]:
    """Return strength and start of the excerpt with the highest mean, each (B, filters)."""
    drive = output.flatten(2, -2).mean(dim=2) if output.ndim == 4 else output  # (B, filters, T)
    T = drive.shape[2]
    window = min(T, max(1, round(excerpt_seconds / seconds * T)))
    strength, at = avg_pool1d(drive, window, stride=1).max(dim=2)
    return strength, at * (seconds / T)


def silenced(layer: nn.Module, number: int) -> RemovableHandle:
    """Zero the output of filter ``number`` (from 0) of a layer within a ``with`` statement."""

    def silence(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        output = output.clone()
        output[:, number] = 0
        return output

    return layer.register_forward_hook(silence)


def selective_filters(
    network: Network,
    shards: MelShards,
    subset: Subset,
    genres: list[str],
    artists: pd.Series,
    filters: int = 4,
    excerpts: int = 4,
    excerpt_seconds: float = 3.0,
) -> list[Filter]:
    """Find the filters of each layer that differ most between genres, for diverse genres.

    Args:
        network: trained network.
        shards: spectrograms.
        subset: clips that the network was not trained on.
        genres: names of the labels.
        artists: artist of each track, index track_id.
        filters: number of filters per layer.
        excerpts: number of excerpts per filter, each by a different artist.
        excerpt_seconds: length of an excerpt.

    Returns:
        Filters layer by layer; empty if the network exposes no layers.
    """
    if not network.layers:
        return []

    def accuracy() -> float:
        logs = predict_clips(network, shards, subset.track_ids, subset.metadata)
        return float(np.mean(logs.argmax(axis=1) == subset.labels))

    whole = accuracy()
    found = []
    activities = layer_activities(network, shards, subset, excerpt_seconds)
    for i, (layer, (strength, start)) in enumerate(zip(network.layers, activities, strict=True)):
        statistic = _f_statistic(strength, subset.labels)
        for number in _of_different_genres(strength, subset.labels, statistic, filters):
            with silenced(layer, number):
                lost = whole - accuracy()
            order = np.argsort(-strength[:, number], kind="stable")
            strongest = subset.labels[order[: max(1, len(order) // 10)]]
            shares = np.bincount(strongest, minlength=len(genres)) / len(strongest)
            known = artists.loc[subset.track_ids[order]]
            # Tracks without an artist count as different artists.
            chosen = order[(known.isna() | ~known.duplicated()).to_numpy()][:excerpts]
            found.append(
                Filter(
                    i + 1,
                    number + 1,
                    float(statistic[number]),
                    lost,
                    dict(zip(genres, shares.tolist(), strict=True)),
                    [Excerpt(int(subset.track_ids[k]), float(start[k, number])) for k in chosen],
                )
            )
    return found


def _f_statistic(strength: NDArray[np.float32], labels: Labels) -> NDArray[np.float64]:
    """Compute the F statistic of each filter between genres, (filters,); 0 if undefined."""
    # It is undefined for a dead filter and if every genre has a single clip: no variance within.
    responds = np.ptp(strength, axis=0) > 0
    statistic = np.zeros(len(responds))
    groups = [strength[labels == k][:, responds].astype(float) for k in np.unique(labels)]
    if len(strength) > len(groups):
        statistic[responds] = f_oneway(*groups).statistic
    return statistic


def _of_different_genres(
    strength: NDArray[np.float32], labels: Labels, statistic: NDArray[np.float64], count: int
) -> list[int]:
    """Rank filters by statistic, starting with the best filter of each preferred genre."""
    order = [int(i) for i in np.argsort(-statistic, kind="stable")]
    means = np.stack([strength[labels == label].mean(axis=0) for label in np.unique(labels)])
    preferred = means.argmax(axis=0)
    # A dead filter prefers no genre.
    first = {int(preferred[i]): i for i in reversed(order) if statistic[i] > 0}
    leaders = sorted(first.values(), key=order.index)
    return (leaders + [i for i in order if i not in leaders])[:count]
