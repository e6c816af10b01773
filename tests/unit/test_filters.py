"""Filter visualisation finds a planted sound where it was planted."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from songnet.data.batches import Subset
from songnet.data.shards import MelShards
from songnet.evaluation.filters import (
    _of_different_genres,
    layer_activities,
    selective_filters,
    silenced,
)
from songnet.models.base import Network, Outputs
from songnet.models.causal_crnn import CausalCRNN
from songnet.models.configs import CausalCRNNConfig, CRNNConfig, NetworkConfig
from songnet.models.crnn import CRNN
from songnet.training.predict import embed_clips

FPS = 20.0
FRAMES = 200


def planted(tmp_path: Path) -> tuple[MelShards, Subset]:
    """Twelve clips of 10 s; those of genre 1 have a loud second from 6 s on."""
    rng = np.random.default_rng(0)
    mels = rng.normal(-60, 3, (12, 32, FRAMES)).astype(np.float16)
    labels = np.arange(12) % 2
    mels[labels == 1, :, 120:140] += 40
    np.save(tmp_path / "000.npy", mels)
    index = pd.DataFrame(
        {"file": "000.npy", "row": range(12), "frames": FRAMES, "seconds": FRAMES / FPS},
        index=pd.Index(range(100, 112)),
    )
    subset = Subset(index.index.to_numpy(), labels, np.zeros((12, 3), np.float32))
    return MelShards(tmp_path, index), subset


@pytest.fixture(params=["crnn", "causal"])
def network(request: pytest.FixtureRequest) -> Network:
    """An untrained network whose standardisation fits the planted clips."""
    torch.manual_seed(0)
    net: Network
    if request.param == "crnn":
        net = CRNN(CRNNConfig(32, 2, FPS, channels=[8, 8, 8]))
    else:
        net = CausalCRNN(CausalCRNNConfig(32, 2, FPS, channels=[8, 8, 8]))
    net.set_statistics(
        torch.full((32, 1), -60.0), torch.full((32, 1), 10.0), np.zeros((1, 3), np.float32)
    )
    return net.eval()


def test_filters_of_different_genres_skip_dead_filter() -> None:
    strength = np.array([[1, 1, 0, 0], [0, 0, 2, 0]], np.float32)  # the last filter is dead
    statistic = np.array([50.0, 40.0, 30.0, 0.0])
    assert _of_different_genres(strength, np.array([0, 1]), statistic, 3) == [0, 2, 1]


def test_selective_filters_find_planted_sound(tmp_path: Path, network: Network) -> None:
    shards, subset = planted(tmp_path)
    layers = layer_activities(network, shards, subset, excerpt_seconds=1.0)
    assert len(layers) == 3
    for activity in layers:
        assert activity.strength.shape == activity.start.shape == (12, 8)
    found = selective_filters(
        network, shards, subset, ["quiet", "loud"], pd.Series(1.0, index=subset.track_ids),
        filters=2, excerpts=3, excerpt_seconds=1.0,
    )  # fmt: skip
    assert [filter.layer for filter in found] == [1, 1, 2, 2, 3, 3]
    driven = [filter for filter in found if filter.f_statistic > 100]
    assert len(driven) >= 3
    for filter in driven:
        assert filter.genres["loud"] == 1
        (excerpt,) = filter.excerpts  # all clips are by one artist
        assert subset.labels[excerpt.track_id - 100] == 1
        assert excerpt.start == pytest.approx(6.0, abs=1.0)


class Loudness(Network):
    """A network without convolutions, as the manual shows for custom networks."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.output = torch.nn.Linear(config.n_bands, config.n_genres)

    @property
    def frames_per_step(self) -> int:
        return 1

    def forward_normalised(
        self, normalised: torch.Tensor, metadata: torch.Tensor | None = None
    ) -> Outputs:
        x = self.standardise(normalised).transpose(1, 2)
        logits = self.output(x).log_softmax(-1)
        return Outputs(logits, logits, x)


def test_selective_filters_without_convolutions_are_none(tmp_path: Path) -> None:
    shards, subset = planted(tmp_path)
    network = Loudness(NetworkConfig(32, 2, FPS))
    assert network.layers == []
    artists = pd.Series(1.0, index=subset.track_ids)
    assert selective_filters(network, shards, subset, ["quiet", "loud"], artists) == []


class OneFilter(Loudness):
    """Predicts from its first filter, which responds to loud frames; the second one is unused."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        convolution = torch.nn.Conv1d(config.n_bands, 2, 1)
        self.convolutions = torch.nn.Sequential(convolution, torch.nn.ReLU())
        with torch.no_grad():
            convolution.weight.copy_(torch.tensor([1.0, 0.0])[:, None, None] / config.n_bands)
            assert convolution.bias is not None
            convolution.bias.copy_(torch.tensor([40.0, 1.0]))  # the planted sound has -20 dB

    def forward_normalised(
        self, normalised: torch.Tensor, metadata: torch.Tensor | None = None
    ) -> Outputs:
        loud = self.convolutions(normalised)[:, :1].cumsum(2)
        logs = torch.cat([1 - loud, loud], dim=1).transpose(1, 2).log_softmax(-1)
        return Outputs(logs, logs, logs)


def test_selective_filters_accuracy_lost_when_silenced(tmp_path: Path) -> None:
    shards, subset = planted(tmp_path)
    artists = pd.Series(range(12), index=subset.track_ids)
    network = OneFilter(NetworkConfig(32, 2, FPS))
    found = selective_filters(network, shards, subset, ["quiet", "loud"], artists)
    # Without the filter, all clips are predicted as quiet, so half of them are wrong.
    assert [(filter.number, filter.accuracy_lost) for filter in found] == [(1, 0.5), (2, 0.0)]


def test_selective_filters_of_one_clip_per_genre(tmp_path: Path, network: Network) -> None:
    shards, subset = planted(tmp_path)
    two = Subset(subset.track_ids[:2], subset.labels[:2], subset.metadata[:2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = selective_filters(
            network, shards, two, ["quiet", "loud"], pd.Series(1.0, index=two.track_ids), filters=2
        )
    assert [filter.f_statistic for filter in found] == [0.0] * 6


def test_layer_activities_and_embed_clips_use_device(
    tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved networks are loaded to the CPU; the device `meta` simulates a GPU."""
    shards, subset = planted(tmp_path)
    monkeypatch.setattr("songnet.training.predict.device", lambda: torch.device("meta"))
    monkeypatch.setattr("songnet.training.predict.to_device", lambda tensor: tensor.to("meta"))
    for process in (
        lambda: layer_activities(network, shards, subset, 1.0),
        lambda: embed_clips(network, shards, subset.track_ids, subset.metadata),
    ):
        with pytest.raises(NotImplementedError, match="copy out of meta"):
            process()


def test_silenced_zeroes_filter_within_context(tmp_path: Path, network: Network) -> None:
    shards, _ = planted(tmp_path)
    mel = torch.from_numpy(shards.mel(101).astype(np.float32))[None]
    with torch.no_grad():
        before = network(mel).clip_logits
        for layer in network.layers:
            outputs: list[torch.Tensor] = []
            with silenced(layer, 3):
                hook = layer.register_forward_hook(lambda m, i, out, seen=outputs: seen.append(out))
                network(mel)
                hook.remove()
            assert outputs[0][:, 3].abs().max() == 0
            assert outputs[0].abs().max() > 0
        torch.testing.assert_close(network(mel).clip_logits, before, rtol=0, atol=0)
