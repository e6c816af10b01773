"""Classification of music as it plays, with the very verdicts that whole clips get.

Every stage keeps what it needs of the past: the resampler its filter, the spectrogram the samples
of an unfinished frame, the network its state. Nothing grows with time.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from songnet.errors import SongNetError
from songnet.features.audio import LOUDEST, Samples, average_channels, is_silent
from songnet.features.mel import MelConfig, mel_frames
from songnet.models.base import Saved, load

# What a file of weights says of the accuracy, if it says anything.
MEASURED = {"part", "accuracy", "ci_low", "ci_high", "tracks"}
MOST_FFT = 2**16  # samples of a window: a second and more
BLOCK = 1024  # samples that the resampler gets at a time; from more it may hold some back
CLOSE_CALL = 0.1  # a lead of less than this over the second genre is no verdict


class Step(NamedTuple):
    """What is known after one more step of music."""

    seconds: float  # from the beginning to the end of the step
    now: NDArray[np.float32]  # (C,) probabilities of the step, as the recurrent state hears it
    so_far: NDArray[np.float32]  # (C,) probabilities of all music up to here
    mel: NDArray[np.float32]  # (M, frames_per_step) dB
    silent: bool  # whether nothing was audible up to here: the probabilities then mean nothing


class Model(NamedTuple):
    """A network that can hear, and how."""

    saved: Saved
    mel: MelConfig
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
    def step_seconds(self) -> float:
        """Music that one step covers."""
        frames = self.saved.network.frames_per_step
        return frames * self.mel.hop_length / self.mel.sample_rate


def load_model(path: str | Path) -> Model:
    """Read a network for real-time use.

    Raises:
        SongNetError: no such file, no network, or one that cannot hear music as it plays.
    """
    if not Path(path).exists():
        raise SongNetError(f"{path}: no such file")
    saved = load(path)
    if not saved.network.is_causal():
        raise SongNetError(f"{path}: {saved.facts.get('model')} looks ahead; it cannot stream")
    if saved.facts.get("mel") is None:
        raise SongNetError(f"{path}: was trained on spectrograms without audio; it cannot hear")
    try:
        _check_facts(saved.facts)
        mel = _mel_config(saved.facts["mel"], saved.network.config.n_mels)
    except (AttributeError, TypeError, ValueError) as error:
        raise SongNetError(f"{path}: not a network that can be served: {error}") from None
    return Model(saved, mel, Path(path))


def _check_facts(facts: dict[str, Any]) -> None:
    """Fail where a fact that is shown is missing; MEASURED is all there, or not at all."""
    if missing := [name for name in ("model", "dataset", "protocol") if not facts.get(name)]:
        raise ValueError(f"lacks {', '.join(missing)}")
    measured = facts.get("measured")
    if measured is not None and (missing := MEASURED - measured.keys()):
        raise ValueError(f"measured lacks {', '.join(sorted(missing))}")
    if measured is not None and not all(
        isinstance(measured[name], int | float) for name in MEASURED - {"part"}
    ):
        raise ValueError("measured has a value that is not a number")


def _mel_config(values: dict[str, Any], n_mels: int) -> MelConfig:
    """Read the spectrogram's definition; a default is not what the network was trained with."""
    names = {field.name for field in fields(MelConfig)}
    if differing := names ^ values.keys():
        raise ValueError(f"mel has other keys in this version: {', '.join(sorted(differing))}")
    config = MelConfig(**values)
    if any(not isinstance(value, int) or value < 1 for value in values.values()):
        raise ValueError(f"mel has a value that is not positive: {values}")
    if not config.hop_length <= config.n_fft <= MOST_FFT or config.n_mels != n_mels:
        raise ValueError(f"mel does not fit a network of {n_mels} bands: {values}")
    return config


class Stream:
    """Hears one piece of music, in pieces of any size.

    Args:
        model: from `load_model`; streams may share it.
        sample_rate: of the music, Hz.
    """

    def __init__(self, model: Model, sample_rate: int) -> None:
        self._model = model
        self._resampler = None
        if sample_rate != model.mel.sample_rate:
            self._resampler = soxr.ResampleStream(
                sample_rate, model.mel.sample_rate, 1, dtype="float32", quality="HQ"
            )
        self._frames = _MelStream(model.mel)
        self._mel = np.empty((model.mel.n_mels, 0), np.float32)  # frames of an unfinished step
        self._state = model.saved.network.initial_state(1)
        self._steps = 0
        self._low, self._high = np.inf, -np.inf  # range of the samples

    @property
    def silent(self) -> bool:
        """Whether nothing was audible so far."""
        return is_silent(self._low, self._high)

    def push(self, samples: Samples) -> list[Step]:
        """Hear more.

        Args:
            samples: (n,) or (n, channels) float32, any n. Those beyond LOUDEST or not finite count
                as 0, since the network's state would keep them for ever.

        Returns:
            The steps that they complete.
        """
        samples = average_channels(samples)
        samples = np.where(np.abs(samples) <= LOUDEST, samples, np.float32(0))
        found: list[Step] = []
        for start in range(0, len(samples), BLOCK):
            block = samples[start : start + BLOCK]
            self._low = min(self._low, float(block.min()))
            self._high = max(self._high, float(block.max()))
            if self._resampler is not None:
                block = self._resampler.resample_chunk(block)
            found += self._hear(self._frames.push(block))
        return found

    def finish(self) -> list[Step]:
        """End the music; the steps that only its end completes. No more can be pushed."""
        rest = np.empty(0, np.float32)
        if self._resampler is not None:
            rest = self._resampler.resample_chunk(rest, last=True)
        return self._hear(self._frames.push(rest)) + self._hear(self._frames.finish())

    @torch.inference_mode()
    def _hear(self, mel: NDArray[np.float32]) -> list[Step]:
        if not mel.shape[1]:
            return []
        self._mel = np.concatenate([self._mel, mel], axis=1)
        size = self._model.saved.network.frames_per_step
        steps = self._mel.shape[1] // size
        if not steps:
            return []
        heard, self._mel = np.split(self._mel, [steps * size], axis=1)
        # Training reads spectrograms as float16.
        rounded = torch.from_numpy(heard.astype(np.float16).astype(np.float32))[None]
        verdicts, self._state = self._model.saved.network.stream(rounded, self._state)
        now, so_far = (logs[0].exp().numpy() for logs in (verdicts.now, verdicts.so_far))
        first = self._steps
        self._steps += steps
        return [
            Step(
                (first + i + 1) * self._model.step_seconds,
                now[i],
                so_far[i],
                heard[:, i * size : (i + 1) * size],
                self.silent,
            )
            for i in range(steps)
        ]


class _MelStream:
    """Frames of `mel_spectrogram`, each as soon as its last sample is there."""

    def __init__(self, config: MelConfig) -> None:
        self._config = config
        self._half = config.n_fft // 2
        self._pieces = [np.zeros(self._half, np.float32)]  # samples of unfinished frames
        self._waiting = self._half

    def push(self, samples: Samples) -> NDArray[np.float32]:
        """(n,) samples -> (n_mels, frames) that they complete, in dB."""
        self._pieces.append(samples)
        self._waiting += len(samples)
        n_fft, hop = self._config.n_fft, self._config.hop_length
        if self._waiting < n_fft:
            return np.empty((self._config.n_mels, 0), np.float32)
        waiting = np.concatenate(self._pieces)
        mel = mel_frames(waiting, self._config)
        waiting = waiting[mel.shape[1] * hop :]
        # A copy, so that the rest of a large piece is not kept alive.
        self._pieces, self._waiting = [waiting.copy()], len(waiting)
        return mel

    def finish(self) -> NDArray[np.float32]:
        """Frames that reach over the end."""
        return self.push(np.zeros(self._half, np.float32))


class Verdict(NamedTuple):
    """What the music so far is."""

    genre: str  # the likeliest
    probability: float
    unsure: bool  # the second genre is nearly as likely


def verdict(probabilities: NDArray[np.float32], genres: list[str]) -> Verdict:
    """Name the likeliest genre of (C,) probabilities."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    lead = probabilities[first] - probabilities[second]
    return Verdict(genres[first], float(probabilities[first]), bool(lead < CLOSE_CALL))
