"""What the convolutions hear: the filters that tell genres apart, and the music that drives them.

(The idea of listening to what drives a filter most: Dieleman, "Recommending music on Spotify with
deep learning", 2014, section "What is it learning?".)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import f_oneway
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d

from songnet.data.batches import Subset, whole_clips
from songnet.data.shards import MelShards
from songnet.formatting import percent
from songnet.models.base import Network
from songnet.training.devices import device, to_device
from songnet.training.predict import BATCH_SIZE, predict_clips


class Activity(NamedTuple):
    """How strongly the filters of one layer answer to each of n clips."""

    strength: NDArray[np.float32]  # (n, filters) mean over the excerpt that drives it most
    start: NDArray[np.float32]  # (n, filters) where that excerpt begins, seconds


class Excerpt(NamedTuple):
    """A part of a clip that drives a filter."""

    track_id: int
    start: float  # seconds


class Filter(NamedTuple):
    """One filter of one layer, both counted from 1."""

    layer: int
    number: int
    f_statistic: float  # of its strength between genres (one-way analysis of variance); 0 for none
    accuracy_lost: float  # when it is silenced; a share of the clips
    genres: dict[str, float]  # shares of genres among the tenth of clips that drive it most
    excerpts: list[Excerpt]


@torch.no_grad()
def layer_activities(
    network: Network, shards: MelShards, subset: Subset, excerpt_seconds: float
) -> list[Activity]:
    """Listen to every filter of every layer while the network hears whole clips."""
    outputs: dict[int, Tensor] = {}
    hooks = [
        layer.register_forward_hook(
            lambda module, inputs, output, i=i: outputs.__setitem__(i, output)
        )
        for i, layer in enumerate(network.layers)
    ]
    network.to(device()).eval()
    found: list[list[tuple[NDArray[np.int64], Tensor, Tensor]]] = [[] for _ in hooks]
    try:
        for places, mel in whole_clips(shards, subset.track_ids, BATCH_SIZE):
            network(to_device(mel))
            seconds = mel.shape[2] / shards.frames_per_second
            for i, output in outputs.items():
                strength, start = _loudest(output.cpu(), seconds, excerpt_seconds)
                found[i].append((places, strength, start))
    finally:
        for hook in hooks:
            hook.remove()
    activities = []
    for layer in found:
        at, strengths, starts = zip(*layer, strict=True)
        order = np.argsort(np.concatenate(at))
        activities.append(
            Activity(torch.cat(strengths).numpy()[order], torch.cat(starts).numpy()[order])
        )
    return activities


def _loudest(output: Tensor, seconds: float, excerpt_seconds: float) -> tuple[Tensor, Tensor]:
    """Strength and start of the excerpt with the highest mean, each (B, filters)."""
    drive = output.flatten(2, -2).mean(dim=2) if output.ndim == 4 else output  # (B, filters, T)
    T = drive.shape[2]
    window = min(T, max(1, round(excerpt_seconds / seconds * T)))
    strength, at = avg_pool1d(drive, window, stride=1).max(dim=2)
    return strength, at * (seconds / T)


@contextmanager
def silenced(layer: nn.Module, number: int) -> Iterator[None]:
    """Make one filter of a layer give nothing; ``number`` from 0."""

    def silence(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        output = output.clone()
        output[:, number] = 0
        return output

    hook = layer.register_forward_hook(silence)
    try:
        yield
    finally:
        hook.remove()


def telling_filters(
    network: Network,
    shards: MelShards,
    subset: Subset,
    genres: list[str],
    artists: pd.Series,
    filters: int = 4,
    excerpts: int = 4,
    excerpt_seconds: float = 3.0,
) -> list[Filter]:
    """Find filters of each layer that differ most between genres, preferring different ones.

    Args:
        network: trained.
        shards: spectrograms.
        subset: clips that the network was not trained on.
        genres: names of its labels.
        artists: artist of each track, index track_id.
        filters: how many of each layer.
        excerpts: how many for each filter, of different artists.
        excerpt_seconds: length of an excerpt.

    Returns:
        Layer by layer; none of a network without layers.
    """
    if not network.layers:
        return []

    def accuracy() -> float:
        logs = predict_clips(network, shards, subset.track_ids, subset.metadata)
        return float(np.mean(logs.argmax(axis=1) == subset.labels))

    whole = accuracy()
    found = []
    activities = layer_activities(network, shards, subset, excerpt_seconds)
    for i, (layer, activity) in enumerate(zip(network.layers, activities, strict=True)):
        # A filter that never answers has no variance, hence no statistic; nor have genres of one
        # clip each a variance within.
        answers = np.ptp(activity.strength, axis=0) > 0
        statistic = np.zeros(len(answers))
        strengths = activity.strength[:, answers]
        groups = [strengths[subset.labels == label] for label in np.unique(subset.labels)]
        if len(strengths) > len(groups):
            statistic[answers] = f_oneway(*groups).statistic
        for number in _of_different_genres(activity.strength, subset.labels, statistic, filters):
            with silenced(layer, number):
                lost = whole - accuracy()
            strength, start = activity.strength[:, number], activity.start[:, number]
            order = np.argsort(-strength, kind="stable")
            top = subset.labels[order[: max(1, len(order) // 10)]]
            shares = np.bincount(top, minlength=len(genres)) / len(top)
            chosen = _one_per_artist(subset.track_ids[order], artists)[:excerpts]
            row = {int(track_id): i for i, track_id in enumerate(subset.track_ids)}
            found.append(
                Filter(
                    i + 1,
                    number + 1,
                    float(statistic[number]),
                    lost,
                    dict(zip(genres, shares.tolist(), strict=True)),
                    [Excerpt(t, float(start[row[t]])) for t in chosen],
                )
            )
    return found


def _of_different_genres(
    strength: NDArray[np.float32],
    labels: NDArray[np.int64],
    statistic: NDArray[np.float64],
    count: int,
) -> list[int]:
    """Filters of the highest statistic, first of all those that prefer different genres."""
    order = [int(i) for i in np.argsort(-statistic, kind="stable")]
    means = np.stack([strength[labels == label].mean(axis=0) for label in np.unique(labels)])
    preferred = means.argmax(axis=0)
    # A filter that never answers prefers none.
    first = {int(preferred[i]): i for i in reversed(order) if statistic[i] > 0}
    leaders = sorted(first.values(), key=order.index)
    return (leaders + [i for i in order if i not in leaders])[:count]


def _one_per_artist(track_ids: NDArray[np.int64], artists: pd.Series) -> list[int]:
    """Tracks in their order, only the first of each artist; unknown artists are all different."""
    known = artists.loc[track_ids]
    first = known.isna() | ~known.duplicated()
    return [int(i) for i in track_ids[first.to_numpy()]]


def filter_text(shares: dict[str, float]) -> str:
    """Genres of the clips that drive a filter most, most frequent first."""
    top = sorted(shares, key=lambda genre: -shares[genre])[:3]
    return ", ".join(f"{percent(shares[genre])} {genre}" for genre in top if shares[genre])


def effect_text(accuracy_lost: float, clips: int) -> str:
    """What silencing a filter costs."""
    changed = round(abs(accuracy_lost) * clips)
    if not changed:
        return "changes no accuracy"
    points = f"{100 * abs(accuracy_lost):.1f} points of accuracy ({changed} of the clips)"
    return f"{'costs' if accuracy_lost > 0 else 'brings'} {points}"
