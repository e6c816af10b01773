"""Networks on pretrained encoders, for clips and for music as it plays.

Encoders look a bounded time ahead. A stream gives the outputs of a step as soon as that time has
passed, and at the end those of the last steps: exactly what it gives for the whole clip.
"""

from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from songnet.models.base import Network, Outputs, State, load
from songnet.models.configs import EncoderConfig, NetworkConfig, TaggerConfig
from songnet.models.encoders import Encoder, MusiCNNEncoder, by_step, make_encoder
from songnet.models.heads import make_head
from songnet.models.musicnn import MusiCNN
from songnet.models.musicnn_tags import TAGS

LEAST_SHARE = 1e-4  # of a genre none of whose tags is likely


class EncoderNetwork(Network):
    """Base class: subclasses give the features of steps, and what follows from their sequence.

    Its state: frames that are still needed, how many of them are past steps', features of the last
    steps, and sums over all steps.
    """

    encoder: Encoder

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)

    def features(self, spectrogram: Tensor) -> Tensor:
        """Features of all whole steps: (B, M, T) in dB -> (B, steps, D)."""
        raise NotImplementedError

    def outputs(self, windows: Tensor, total: Tensor, count: Tensor) -> tuple[Outputs, Tensor]:
        """Outputs for the features of steps.

        Args:
            windows: (B, steps, D, window) of each step and of those before it; NaN before the
                first.
            total: (B, D') sum over all steps before.
            count: their number.

        Returns:
            The outputs, and the sum after them.
        """
        raise NotImplementedError

    def forward_normalised(self, normalised: Tensor, metadata: Tensor | None = None) -> Outputs:
        """Outputs for spectrograms (B, M, T) in dB; metadata are not used."""
        whole = normalised.shape[2] // self.frames_per_step * self.frames_per_step
        features = self.features(normalised[:, :, :whole])
        return self._follow(features, self.initial_state(len(normalised)))[0]

    def stream(
        self, spectrogram: Tensor, state: State, metadata: Tensor | None = None
    ) -> tuple[Outputs, State]:
        """Outputs of the steps whose frames, and those after them, are there."""
        frames, past, *rest = state
        frames = torch.cat([frames, spectrogram], dim=2)
        steps = (frames.shape[2] - int(past) - self.lookahead) // self.frames_per_step
        if steps < 1:
            return _nothing(len(frames), self.config.n_genres), (frames, past, *rest)
        return self._advance(frames, int(past), steps, rest)

    def finish(self, state: State) -> Outputs | None:
        """Outputs of the steps that waited for the frames after them."""
        frames, past, *rest = state
        steps = (frames.shape[2] - int(past)) // self.frames_per_step
        return self._advance(frames, int(past), steps, rest)[0] if steps else None

    def _advance(
        self, frames: Tensor, past: int, steps: int, rest: list[Tensor]
    ) -> tuple[Outputs, State]:
        """Outputs of the next steps, and the state after them."""
        size = self.frames_per_step
        end = past + steps * size
        found = self.features(frames[:, :, : end + self.lookahead])
        found = found[:, past // size : end // size]
        outputs, rest = self._follow(found, (frames, torch.tensor(past), *rest))
        first = max(0, end - self.encoder.past)
        return outputs, (frames[:, :, first:].clone(), torch.tensor(end - first), *rest)

    def _follow(self, features: Tensor, state: State) -> tuple[Outputs, list[Tensor]]:
        """Outputs for the features of the next steps; the part of the state that they change."""
        _, _, before, total, count = state
        sequence = torch.cat([before, features], dim=1)
        window = self.encoder.window
        windows = sequence.unfold(1, window, 1)[:, -features.shape[1] :]
        outputs, total = self.outputs(windows, total, count)
        kept = sequence[:, sequence.shape[1] - window + 1 :]
        return outputs, [kept, total, count + features.shape[1]]

    def initial_state(self, batch: int) -> State:
        """State before the first step."""
        frames = torch.zeros(batch, self.config.n_bands, 0)
        before = torch.full((batch, self.encoder.window - 1, self._numbers[0]), torch.nan)
        return (
            frames,
            torch.tensor(0),
            before,
            torch.zeros(batch, self._numbers[1]),
            torch.tensor(0),
        )

    @property
    def _numbers(self) -> tuple[int, int]:
        """Numbers of a step's features, and of the sum over steps."""
        return self.encoder.size, self.encoder.size

    @property
    def frames_per_step(self) -> int:
        """Frames that one step covers."""
        return self.encoder.frames_per_step

    @property
    def lookahead(self) -> int:
        """Frames after a step that its outputs depend on."""
        return self.encoder.lookahead


def _nothing(batch: int, genres: int) -> Outputs:
    """Outputs of no step."""
    empty = torch.empty(batch, 0, genres)
    return Outputs(empty, empty, torch.empty(batch, 0, 1))


def _sums(values: Tensor, total: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of all steps up to each one, (B, steps, D), and the sum of all."""
    sums = total[:, None] + values.cumsum(1)
    counts = count + torch.arange(1, values.shape[1] + 1)
    return sums / counts[:, None], sums[:, -1]


class EncoderClassifier(EncoderNetwork):
    """A head on the mean embedding: of the last seconds, and of all music so far."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config.encoder)
        self.head = make_head(config.head, config.embedding, config.n_genres, config.head_size)

    def features(self, spectrogram: Tensor) -> Tensor:
        """Embeddings of all whole steps."""
        found: Tensor = self.encoder(spectrogram)
        return found

    def outputs(self, windows: Tensor, total: Tensor, count: Tensor) -> tuple[Outputs, Tensor]:
        """Log-probabilities of the head."""
        pooled, total = _sums(windows[..., -1], total, count)
        return Outputs(self.head(windows.nanmean(-1)), self.head(pooled), pooled), total


class MusiCNNTagger(EncoderNetwork):
    """Genres as groups of musicnn's tags, without any training.

    A genre's share is that of its likeliest tag; over time, tags are averaged, as by its authors.
    """

    def __init__(self, config: TaggerConfig) -> None:
        super().__init__(config)
        self.encoder = MusiCNNEncoder()
        groups = torch.zeros(config.n_genres, len(TAGS))
        for row, tags in zip(groups, config.tags.values(), strict=True):
            row[[TAGS.index(tag) for tag in tags]] = 1
        self.register_buffer("groups", groups)

    groups: Tensor

    @property
    def musicnn(self) -> MusiCNN:
        """The pretrained network."""
        return cast("MusiCNNEncoder", self.encoder).network

    def features(self, spectrogram: Tensor) -> Tensor:
        """Mean and maximum over each step of musicnn's maps."""
        maps = by_step(self.musicnn.maps(spectrogram), self.frames_per_step)
        return torch.cat([maps.mean(-1), maps.amax(-1)], dim=-1)

    def outputs(self, windows: Tensor, total: Tensor, count: Tensor) -> tuple[Outputs, Tensor]:
        """Shares of the groups of tags."""
        means, maxima = windows.chunk(2, dim=2)
        highest = maxima.nan_to_num(-torch.inf).amax(-1)
        pooled = torch.stack([highest, means.nanmean(-1)], dim=-1)  # (B, steps, MAPS, 2)
        penultimate = self.musicnn.penultimate(pooled.flatten(0, 1)).view(*pooled.shape[:2], -1)
        tags = self.musicnn.tags(penultimate).sigmoid()
        overall, total = _sums(tags, total, count)
        return Outputs(self._genres(tags), self._genres(overall), penultimate), total

    def _genres(self, tags: Tensor) -> Tensor:
        """Log-shares of genres: (B, steps, tags) -> (B, steps, C)."""
        shares = (tags[:, :, None] * self.groups).amax(-1).clamp(min=LEAST_SHARE)
        return (shares / shares.sum(-1, keepdim=True)).log()

    @property
    def _numbers(self) -> tuple[int, int]:
        return 2 * self.encoder.size, len(TAGS)


class Predictor:
    """Applies saved heads to the embeddings of the same tracks.

    Args:
        data: one path, of the table of embeddings.
        tracks: tracks to predict, rows of tracks.parquet.
        threads: of torch.
    """

    def __init__(self, data: list[str], tracks: pd.DataFrame, threads: int) -> None:
        torch.set_num_threads(threads)
        self._embeddings = pd.read_parquet(data[0]).loc[tracks.index]

    @torch.inference_mode()
    def predict(self, path: str) -> tuple[list[str], NDArray[np.str_], NDArray[np.float32]]:
        """Genres, predicted genres (n,) and probabilities (n, genres) of one saved model.

        Validation tracks have the predictions that the training job cross-fitted.
        """
        network, genres, _ = load(path)
        assert isinstance(network, EncoderClassifier)
        X = torch.from_numpy(self._embeddings.to_numpy(np.float32))
        X = torch.where(X.isnan(), network.head.mean, X)  # tracks that a table lacks
        logs = pd.DataFrame(network.head(X).numpy(), self._embeddings.index)
        fitted = pd.read_parquet(Path(path).with_name("validation.parquet"))
        known = fitted.index.intersection(logs.index)
        logs.loc[known] = fitted.loc[known].to_numpy()
        found = logs.to_numpy()
        return genres, np.array(genres)[found.argmax(axis=1)], np.exp(found)
