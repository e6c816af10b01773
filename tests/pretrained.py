"""Networks on musicnn with random weights."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from songnet.features.log_mel import LogMelSpectrogram
from songnet.features.spectrogram import describe
from songnet.models.base import Network, save
from songnet.models.configs import EncoderConfig, TaggerConfig
from songnet.models.encoder_networks import EncoderClassifier, MusiCNNTagger
from songnet.models.musicnn import BANDS

RATE = LogMelSpectrogram().frames_per_second


def tagger(genres: dict[str, list[str]] | None = None) -> MusiCNNTagger:
    """Build musicnn with random weights, mild normalisation and, like the real one, dead units."""
    torch.manual_seed(3)
    genres = genres or {"Jazz": ["jazz"], "Rock": ["rock", "indie rock"]}
    network = MusiCNNTagger(TaggerConfig(BANDS, len(genres), RATE, genres)).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.num_features > 1:
            module.running_mean.normal_(std=0.1)  # type: ignore[union-attr, operator]
    for layer in network.musicnn.front:
        layer.convolution.bias.data[::2] = -1000  # type: ignore[index, operator, union-attr]
    return network


def classifier(head: str = "svm", size: int = 20) -> EncoderClassifier:
    encoder = tagger().encoder
    config = EncoderConfig(BANDS, 3, RATE, encoder.describe(), encoder.size, head, size)
    network = EncoderClassifier(config)
    network.encoder = encoder
    with torch.no_grad():
        for tensor in network.head.state_dict().values():
            if tensor.ndim == 2:
                tensor.normal_()
        if head == "svm":
            network.head.gamma.fill_(1e-3)  # type: ignore[operator, union-attr]
    return network.eval()


def levels(frames: int, seed: int = 1) -> Tensor:
    """Return spectrograms in dB, (1, BANDS, frames)."""
    return torch.randn(1, BANDS, frames, generator=torch.Generator().manual_seed(seed)) * 8 - 20


def saved(path: Path, network: Network, genres: list[str], **facts: Any) -> Path:
    facts |= {
        "model": "musicnn",
        "pretrained": "much music",
        "spectrogram": describe(LogMelSpectrogram()),
    }
    save(network, genres, facts, path)
    return path
