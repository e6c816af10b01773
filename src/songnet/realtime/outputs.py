"""Outputs of a network for a file: for its middle in one pass, or for all of it by streaming."""

from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from songnet.errors import SongNetError
from songnet.features.audio import decode_blocks, is_silent, resample
from songnet.features.excerpt import middle
from songnet.realtime.stream import Model, Step, Stream


class FileOutputs(NamedTuple):
    """Outputs of a network, and the part of the file they cover, in seconds."""

    step_probabilities: NDArray[np.float32]  # (steps, C)
    clip_probabilities: NDArray[np.float32]  # (C,)
    embedding: NDArray[np.float32]  # (H,)
    silent: bool
    total_seconds: float
    start_seconds: float
    seconds: float
    lost_seconds: float


@torch.inference_mode()
def of_middle(model: Model, file: BinaryIO, seconds: float) -> FileOutputs:
    """Process the middle of a file in one pass, which is much faster than streaming.

    Raises:
        SongNetError: the file is shorter than one step.
        UnusableClipError: as in `songnet.features.audio.decode_blocks`.
        OSError: the file cannot be read.
    """
    excerpt = middle(file, seconds)
    clip = excerpt.clip
    samples = resample(clip, model.spectrogram.sample_rate)
    # float32 takes half the time. Its errors are 100 dB below the peak, which networks ignore.
    mel = model.spectrogram.offline(samples, np.float32)
    if mel.shape[1] < model.saved.network.frames_per_step:
        raise _too_short(model, clip.seconds)
    # Training reads spectrograms as float16.
    rounded = torch.from_numpy(mel.astype(np.float16).astype(np.float32))[None]
    outputs = model.saved.network(rounded)
    return FileOutputs(
        outputs.step_logits[0].exp().numpy(),
        outputs.clip_logits[0, -1].exp().numpy(),
        outputs.embeddings[0, -1].numpy(),
        is_silent(float(clip.samples.min()), float(clip.samples.max())),
        excerpt.total_seconds,
        excerpt.start_seconds,
        clip.seconds,
        clip.lost_seconds,
    )


def of_whole(model: Model, file: BinaryIO, max_seconds: float = np.inf) -> FileOutputs:
    """Process a whole file by streaming, in memory independent of its length.

    Raises:
        SongNetError: the file is shorter than one step.
        UnusableClipError: as in `songnet.features.audio.decode_blocks`, or the file is too long.
        OSError: the file cannot be read.
    """
    stream: Stream | None = None
    of_steps: list[NDArray[np.float32]] = []
    step: Step | None = None
    count, lost = 0, 0.0
    for clip in decode_blocks(file, max_seconds):
        stream = stream or Stream(model, clip.sample_rate)
        for step in stream.push(clip.samples):
            of_steps.append(step.step_probabilities)
        count += len(clip.samples)
        lost += clip.lost_seconds
    for step in stream.finish() if stream else ():
        of_steps.append(step.step_probabilities)
    seconds = count / clip.sample_rate
    if step is None:
        raise _too_short(model, seconds)
    return FileOutputs(
        np.array(of_steps), step.clip_probabilities, step.embedding, step.silent,
        seconds, 0.0, seconds, lost,
    )  # fmt: skip


def _too_short(model: Model, seconds: float) -> SongNetError:
    return SongNetError(f"too short: {seconds:.2f} s, a step is {model.step_seconds:.2f} s")
