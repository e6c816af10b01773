"""Streaming classification, with the same results as offline classification.

Every stage keeps its own state: the resampler its filter, the spectrogram the samples of an
unfinished frame, the network its recurrent state. Memory does not grow with time.
"""

from typing import Any, NamedTuple

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from songnet.features.audio import (
    LOUDEST,
    MAX_CHANNELS,
    RATES,
    Samples,
    average_channels,
    is_silent,
)
from songnet.models.base import Outputs
from songnet.realtime.model import Model as Model
from songnet.realtime.model import load_model as load_model
from songnet.realtime.results import CLOSE_CALL as CLOSE_CALL

BLOCK = 1024  # samples per call of the resampler, which may hold back some of a larger block
NO_EMBEDDING = np.empty(0, np.float32)


class Step(NamedTuple):
    """Outputs after one more step of music."""

    seconds: float  # end of the step, from the beginning of the music
    step_probabilities: NDArray[np.float32]  # (C,) for the step alone
    clip_probabilities: NDArray[np.float32]  # (C,) for all music so far
    spectrogram: NDArray[np.float32]  # (M, frames_per_step) dB
    silent: bool  # whether all music so far is silence, so that the probabilities are meaningless
    embedding: NDArray[np.float32] = NO_EMBEDDING  # (H,) of all music so far

    def to_dict(self) -> dict[str, Any]:
        """Convert everything except the spectrogram to JSON-compatible values."""
        values = self._asdict()
        del values["spectrogram"]
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in values.items()
        }


class Stream:
    """Classifies one piece of music that arrives in chunks of any size.

    Args:
        model: from `load_model`; several streams may share it.
        sample_rate: sample rate in Hz, one of `songnet.features.audio.RATES`.

    Raises:
        ValueError: the sample rate is not one of these.
    """

    def __init__(self, model: Model, sample_rate: int) -> None:
        if sample_rate not in RATES:
            raise ValueError(f"sample_rate must be {RATES[0]} to {RATES[-1]} Hz, not {sample_rate}")
        self._model = model
        self._resampler = None
        if sample_rate != model.spectrogram.sample_rate:
            self._resampler = soxr.ResampleStream(
                sample_rate, model.spectrogram.sample_rate, 1, dtype="float32", quality="HQ"
            )
        self._frames = model.spectrogram.stream()
        # Frames of the unfinished step, and of steps whose outputs await the look-ahead.
        self._waiting = self._pending = np.empty((model.spectrogram.bands, 0), np.float32)
        self._state = model.saved.network.initial_state(1)
        self._steps = 0
        self._low, self._high = np.inf, -np.inf  # range of the samples

    @property
    def silent(self) -> bool:
        """Whether all music so far is silence."""
        return is_silent(self._low, self._high)

    def push(self, samples: Samples) -> list[Step]:
        """Process more samples.

        Args:
            samples: (n,) or (n, channels) between -1 and 1, any n. Non-finite values and values
                beyond LOUDEST are set to 0, since they would persist in the network's state.

        Returns:
            Steps completed by these samples.

        Raises:
            ValueError: samples are integers, or have another shape, such as (channels, n).
        """
        if not np.issubdtype(samples.dtype, np.floating):
            raise ValueError(f"samples must be floats between -1 and 1, not {samples.dtype}")
        if samples.ndim > 2 or samples.shape[1:] > (MAX_CHANNELS,):
            raise ValueError(f"samples must be (n,) or (n, channels), not {samples.shape}")
        samples = average_channels(samples.astype(np.float32, copy=False))
        samples = np.where(np.abs(samples) <= LOUDEST, samples, np.float32(0))
        found: list[Step] = []
        while len(samples):
            # One large block is faster. Only before the first sound, steps need `silent` per block.
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
        """End the music and return the remaining steps; afterwards, nothing can be pushed."""
        rest = np.empty(0, np.float32)
        if self._resampler is not None:
            rest = self._resampler.resample_chunk(rest, last=True)
        found = self._steps_of(self._frames.push(rest)) + self._steps_of(self._frames.finish())
        with torch.inference_mode():
            outputs = self._model.saved.network.finish(self._state)
        return found + (self._to_steps(outputs) if outputs else [])

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
        return self._to_steps(outputs)

    def _to_steps(self, outputs: Outputs) -> list[Step]:
        """Convert outputs of the network to steps."""
        size, steps = self._model.saved.network.frames_per_step, outputs.clip_logits.shape[1]
        frames, self._pending = np.split(self._pending, [steps * size], axis=1)
        of_steps, of_clip = (
            logits[0].exp().numpy() for logits in (outputs.step_logits, outputs.clip_logits)
        )
        embeddings = outputs.embeddings[0].numpy()
        first = self._steps
        self._steps += steps
        return [
            Step(
                (first + i + 1) * self._model.step_seconds,
                of_steps[i],
                of_clip[i],
                frames[:, i * size : (i + 1) * size],
                self.silent,
                embeddings[i],
            )
            for i in range(steps)
        ]
