"""Classification of music as it plays, exactly as whole clips are classified.

Every stage keeps what it needs of the past: the resampler its filter, the spectrogram the samples
of an unfinished frame, the network its state. Nothing grows with time.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from songnet.errors import SongNetError
from songnet.features.audio import LOUDEST, Samples, average_channels, is_silent
from songnet.features.spectrogram import Spectrogram, make_spectrogram
from songnet.models.base import Outputs, Saved, load

# What a file of weights says of the accuracy, if it says anything.
MEASURED = {"subset", "accuracy", "ci_low", "ci_high", "tracks"}
BLOCK = 1024  # samples that the resampler gets at a time; from more it may hold some back
CLOSE_CALL = 0.1  # a lead of less than this over the second genre is no sure prediction


class Step(NamedTuple):
    """What is known after one more step of music."""

    seconds: float  # from the beginning to the end of the step
    step_probabilities: NDArray[np.float32]  # (C,) of the music at the step
    clip_probabilities: NDArray[np.float32]  # (C,) of all music up to here
    spectrogram: NDArray[np.float32]  # (M, frames_per_step) dB
    silent: bool  # whether nothing was audible up to here: the probabilities then mean nothing


class Model(NamedTuple):
    """A network for real-time use, and the spectrogram that it reads."""

    saved: Saved
    spectrogram: Spectrogram
    path: Path

    @property
    def genres(self) -> list[str]:
        """Names of the genres, in the order of the probabilities."""
        return self.saved.genres

    @property
    def facts(self) -> dict[str, Any]:
        """What the network is, and what it was trained on."""
        return self.saved.facts

    @property
    def lookahead_seconds(self) -> float:
        """Music after a step that its prediction waits for."""
        return self.saved.network.lookahead / self.spectrogram.frames_per_second

    @property
    def step_seconds(self) -> float:
        """Music that one step covers."""
        return self.saved.network.frames_per_step / self.spectrogram.frames_per_second


def load_model(path: str | Path) -> Model:
    """Read a network for real-time use.

    Raises:
        SongNetError: no such file, no network, or one that cannot classify music as it plays.
    """
    if not Path(path).exists():
        raise SongNetError(f"{path}: no such file")
    saved = load(path)
    if not saved.network.is_causal():
        raise SongNetError(f"{path}: {saved.facts.get('model')} looks ahead; it cannot stream")
    if saved.facts.get("spectrogram") is None:
        raise SongNetError(
            f"{path}: was trained on precomputed spectrograms; it cannot classify audio"
        )
    try:
        _check_facts(saved.facts)
        spectrogram = make_spectrogram(saved.facts["spectrogram"])
        if spectrogram.bands != saved.network.config.n_bands:
            raise ValueError(
                f"{spectrogram.bands} bands for a network of {saved.network.config.n_bands}"
            )
    except (AttributeError, TypeError, ValueError) as error:
        raise SongNetError(f"{path}: not a network that can be served: {error}") from None
    return Model(saved, spectrogram, Path(path))


def _check_facts(facts: dict[str, Any]) -> None:
    """Fail where a fact that is shown is missing; MEASURED is all there, or not at all."""
    # One that was only pretrained has no data set.
    required = ("model",) if facts.get("pretrained") else ("model", "dataset", "protocol")
    if missing := [name for name in required if not facts.get(name)]:
        raise ValueError(f"lacks {', '.join(missing)}")
    measured = facts.get("measured")
    if measured is not None and (missing := MEASURED - measured.keys()):
        raise ValueError(f"measured lacks {', '.join(sorted(missing))}")
    if measured is not None and not all(
        isinstance(measured[name], int | float) for name in MEASURED - {"subset"}
    ):
        raise ValueError("measured has a value that is not a number")


class Stream:
    """Classifies one piece of music that arrives in pieces of any size.

    Args:
        model: from `load_model`; streams may share it.
        sample_rate: of the music, Hz.
    """

    def __init__(self, model: Model, sample_rate: int) -> None:
        self._model = model
        self._resampler = None
        if sample_rate != model.spectrogram.sample_rate:
            self._resampler = soxr.ResampleStream(
                sample_rate, model.spectrogram.sample_rate, 1, dtype="float32", quality="HQ"
            )
        self._frames = model.spectrogram.stream()
        # Frames of an unfinished step, and of steps whose outputs wait for music after them.
        self._waiting = self._pending = np.empty((model.spectrogram.bands, 0), np.float32)
        self._state = model.saved.network.initial_state(1)
        self._steps = 0
        self._low, self._high = np.inf, -np.inf  # range of the samples

    @property
    def silent(self) -> bool:
        """Whether nothing was audible so far."""
        return is_silent(self._low, self._high)

    def push(self, samples: Samples) -> list[Step]:
        """Process more samples.

        Args:
            samples: (n,) or (n, channels) float32, any n. Those beyond LOUDEST or not finite count
                as 0, since the network's state would keep them for ever.

        Returns:
            The steps that they complete.
        """
        samples = average_channels(samples)
        samples = np.where(np.abs(samples) <= LOUDEST, samples, np.float32(0))
        found: list[Step] = []
        while len(samples):
            # All at once is faster; only the steps before the first sound must know of silence.
            block, samples = np.split(samples, [BLOCK if self.silent else len(samples)])
            self._low = min(self._low, float(block.min()))
            self._high = max(self._high, float(block.max()))
            found += self._steps_of(self._frames.push(self._resample(block)))
        return found

    def _resample(self, samples: Samples) -> Samples:
        if self._resampler is None:
            return samples
        blocks = np.split(samples, range(BLOCK, len(samples), BLOCK))
        return np.concatenate([self._resampler.resample_chunk(block) for block in blocks])

    def finish(self) -> list[Step]:
        """End the music; the steps that only its end completes. No more can be pushed."""
        rest = np.empty(0, np.float32)
        if self._resampler is not None:
            rest = self._resampler.resample_chunk(rest, last=True)
        found = self._steps_of(self._frames.push(rest)) + self._steps_of(self._frames.finish())
        with torch.inference_mode():
            outputs = self._model.saved.network.finish(self._state)
        return found + (self._told(outputs) if outputs else [])

    @torch.inference_mode()
    def _steps_of(self, frames: NDArray[np.float32]) -> list[Step]:
        if not frames.shape[1]:
            return []
        self._waiting = np.concatenate([self._waiting, frames], axis=1)
        size = self._model.saved.network.frames_per_step
        steps = self._waiting.shape[1] // size
        if not steps:
            return []
        whole, self._waiting = np.split(self._waiting, [steps * size], axis=1)
        # Training reads spectrograms as float16.
        rounded = torch.from_numpy(whole.astype(np.float16).astype(np.float32))[None]
        outputs, self._state = self._model.saved.network.stream(rounded, self._state)
        self._pending = np.concatenate([self._pending, whole], axis=1)
        return self._told(outputs)

    def _told(self, outputs: Outputs) -> list[Step]:
        """Steps of which the network gave outputs."""
        size, steps = self._model.saved.network.frames_per_step, outputs.clip_logits.shape[1]
        frames, self._pending = np.split(self._pending, [steps * size], axis=1)
        of_steps, of_clip = (
            logits[0].exp().numpy() for logits in (outputs.step_logits, outputs.clip_logits)
        )
        first = self._steps
        self._steps += steps
        return [
            Step(
                (first + i + 1) * self._model.step_seconds,
                of_steps[i],
                of_clip[i],
                frames[:, i * size : (i + 1) * size],
                self.silent,
            )
            for i in range(steps)
        ]


class Prediction(NamedTuple):
    """The likeliest genre."""

    genre: str
    probability: float
    unsure: bool  # the second genre is nearly as likely


def predict(probabilities: NDArray[np.float32], genres: list[str]) -> Prediction:
    """Name the likeliest genre of (C,) probabilities."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    lead = probabilities[first] - probabilities[second]
    return Prediction(genres[first], float(probabilities[first]), bool(lead < CLOSE_CALL))
