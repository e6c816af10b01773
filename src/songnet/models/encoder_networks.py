"""Networks on pretrained encoders, for clips and streams.

Encoders have a bounded lookahead. A stream returns the outputs of a step as soon as the lookahead
has arrived, and those of the last steps at the end. They equal the outputs for the whole clip.
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

LEAST_SHARE = 1e-4  # minimum share of a genre


class EncoderNetwork(Network):
    """Base class; subclasses define the features of a step, and outputs for a sequence of features.

    The state consists of the frames that are still needed, how many of them belong to past steps,
    the features of the last steps, the sum over all steps, and their number.
    """

    encoder: Encoder

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)

    def features(self, spectrogram: Tensor) -> Tensor:
        """Compute the features of all whole steps: (B, M, T) in dB -> (B, steps, D)."""
        raise NotImplementedError

    def outputs(self, windows: Tensor, total: Tensor, count: Tensor) -> tuple[Outputs, Tensor]:
        """Compute outputs from the features of steps.

        Args:
            windows: (B, steps, D, window) features of each step and the ones before it, NaN before
                the first step.
            total: (B, D') sum over all previous steps.
            count: number of previous steps.

        Returns:
            The outputs, and the sum including these steps.
        """
        raise NotImplementedError

    def forward_normalised(self, normalised: Tensor, metadata: Tensor | None = None) -> Outputs:
        """Compute outputs for spectrograms (B, M, T) in dB; metadata are not used."""
        whole = normalised.shape[2] // self.frames_per_step * self.frames_per_step
        features = self.features(normalised[:, :, :whole])
        return self._follow(features, self.initial_state(len(normalised)))[0]

    def stream(
        self, spectrogram: Tensor, state: State, metadata: Tensor | None = None
    ) -> tuple[Outputs, State]:
        """Compute outputs of the steps whose frames and lookahead have arrived."""
        frames, past, *rest = state
        frames = torch.cat([frames, spectrogram], dim=2)
        steps = (frames.shape[2] - int(past) - self.lookahead) // self.frames_per_step
        if steps < 1:
            return _no_outputs(len(frames), self.config.n_genres), (frames, past, *rest)
        return self._advance(frames, int(past), steps, rest)

    def finish(self, state: State) -> Outputs | None:
        """Compute outputs of the last steps, whose lookahead is incomplete."""
        frames, past, *rest = state
        steps = (frames.shape[2] - int(past)) // self.frames_per_step
        return self._advance(frames, int(past), steps, rest)[0] if steps else None

    def _advance(
        self, frames: Tensor, past: int, steps: int, rest: list[Tensor]
    ) -> tuple[Outputs, State]:
        """Compute outputs of the next steps, and the state after them."""
        size = self.frames_per_step
        end = past + steps * size
        features = self.features(frames[:, :, : end + self.lookahead])
        features = features[:, past // size : end // size]
        outputs, rest = self._follow(features, (frames, torch.tensor(past), *rest))
        first = max(0, end - self.encoder.past)
        return outputs, (frames[:, :, first:].clone(), torch.tensor(end - first), *rest)

    def _follow(self, features: Tensor, state: State) -> tuple[Outputs, list[Tensor]]:
        """Compute outputs from the features of the next steps, and the state that follows."""
        _, _, before, total, count = state
        sequence = torch.cat([before, features], dim=1)
        window = self.encoder.window
        windows = sequence.unfold(1, window, 1)[:, -features.shape[1] :]
        outputs, total = self.outputs(windows, total, count)
        kept = sequence[:, sequence.shape[1] - window + 1 :]
        return outputs, [kept, total, count + features.shape[1]]

    def initial_state(self, batch: int) -> State:
        """Return the state before the first step."""
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
        """Dimensions of a step's features, and of the sum over steps."""
        return self.encoder.size, self.encoder.size

    @property
    def frames_per_step(self) -> int:
        """Number of frames in a step."""
        return self.encoder.frames_per_step

    @property
    def lookahead(self) -> int:
        """Number of frames after a step that its outputs depend on."""
        return self.encoder.lookahead


def _no_outputs(batch: int, genres: int) -> Outputs:
    """Return outputs of zero steps."""
    empty = torch.empty(batch, 0, genres)
    return Outputs(empty, empty, torch.empty(batch, 0, 1))


def _sums(values: Tensor, total: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over all steps up to each one, (B, steps, D), and the sum of all steps."""
    sums = total[:, None] + values.cumsum(1)
    counts = count + torch.arange(1, values.shape[1] + 1)
    return sums / counts[:, None], sums[:, -1]


class EncoderClassifier(EncoderNetwork):
    """A head on mean embeddings: over the last seconds (steps), and over all steps (clip)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config.encoder)
        self.head = make_head(config.head, config.embedding, config.n_genres, config.head_size)

    def features(self, spectrogram: Tensor) -> Tensor:
        """Compute the embeddings of all whole steps."""
        embeddings: Tensor = self.encoder(spectrogram)
        return embeddings

    def outputs(self, windows: Tensor, total: Tensor, count: Tensor) -> tuple[Outputs, Tensor]:
        """Compute the head's log-probabilities."""
        pooled, total = _sums(windows[..., -1], total, count)
        return Outputs(self.head(windows.nanmean(-1)), self.head(pooled), pooled), total


class MusiCNNTagger(EncoderNetwork):
    """Genres as groups of musicnn's tags, without further training.

    The share of a genre is that of its most likely tag. Tags are averaged over time, as musicnn's
    authors do.
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
        """Compute the mean and maximum of musicnn's feature maps over each step."""
        maps = by_step(self.musicnn.maps(spectrogram), self.frames_per_step)
        return torch.cat([maps.mean(-1), maps.amax(-1)], dim=-1)

    def outputs(self, windows: Tensor, total: Tensor, count: Tensor) -> tuple[Outputs, Tensor]:
        """Compute the log-shares of genres from tags."""
        means, maxima = windows.chunk(2, dim=2)
        highest = maxima.nan_to_num(-torch.inf).amax(-1)
        pooled = torch.stack([highest, means.nanmean(-1)], dim=-1)  # (B, steps, MAPS, 2)
        penultimate = self.musicnn.penultimate(pooled.flatten(0, 1)).view(*pooled.shape[:2], -1)
        tags = self.musicnn.tags(penultimate).sigmoid()
        latest = means[..., -1]  # the encoder's embeddings of the steps
        pooled, total = _sums(torch.cat([tags, latest], dim=-1), total, count)
        overall, embeddings = pooled.split([len(TAGS), self.encoder.size], dim=-1)
        return Outputs(self._genres(tags), self._genres(overall), embeddings), total

    def _genres(self, tags: Tensor) -> Tensor:
        """Compute log-shares of genres: (B, steps, tags) -> (B, steps, C)."""
        shares = (tags[:, :, None] * self.groups).amax(-1).clamp(min=LEAST_SHARE)
        return (shares / shares.sum(-1, keepdim=True)).log()

    @property
    def _numbers(self) -> tuple[int, int]:
        return 2 * self.encoder.size, len(TAGS) + self.encoder.size


class Predictor:
    """Applies saved heads to the embeddings of the same tracks.

    Args:
        data: path of the table of embeddings, as a list of one.
        tracks: tracks to predict, rows of tracks.parquet.
        threads: number of threads for torch.
    """

    def __init__(self, data: list[str], tracks: pd.DataFrame, threads: int) -> None:
        torch.set_num_threads(threads)
        self._embeddings = pd.read_parquet(data[0]).loc[tracks.index]

    @torch.inference_mode()
    def predict(self, path: str) -> tuple[list[str], NDArray[np.str_], NDArray[np.float32]]:
        """Return genres, predicted genres (n,) and probabilities (n, genres) of one saved model.

        For validation tracks, these are the cross-fitted predictions of the training job.
        """
        network, genres, _ = load(path)
        assert isinstance(network, EncoderClassifier)
        X = torch.from_numpy(self._embeddings.to_numpy(np.float32))
        X = torch.where(X.isnan(), network.head.mean, X)  # tracks missing from the table
        logs = pd.DataFrame(network.head(X).numpy(), self._embeddings.index)
        fitted = pd.read_parquet(Path(path).with_name("validation.parquet"))
        known = fitted.index.intersection(logs.index)
        logs.loc[known] = fitted.loc[known].to_numpy()
        array = logs.to_numpy()
        return genres, np.array(genres)[array.argmax(axis=1)], np.exp(array)
