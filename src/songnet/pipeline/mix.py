"""Job that mixes clips, for a student to learn more of its teacher than the clips alone tell.

Source: L. Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", CVPR
2022: teacher and student are given the same, strongly changed input.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soxr
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from songnet.data.mixtures import FIRST, SECOND
from songnet.data.sources import clip_source
from songnet.errors import SongNetError
from songnet.features.spectrogram import make_spectrogram
from songnet.io import replacing
from songnet.pipeline.embed import embedding_of, open_encoder

SECONDS = 10.0  # length of a mixture
SPEEDS = 0.85, 1.18  # range of the factor of speed and pitch
WEIGHTS = 0.3, 0.7  # range of the first clip's share
ALONE = 0.25  # share of clips that are not mixed
QUIETEST = 1e-4  # root mean square below which an excerpt is not amplified
Samples = NDArray[np.float32]


def mix_shard(
    mel: str,
    table: str,
    kind: str,
    clips: list[str],
    track_ids: list[int],
    count: int,
    clip_seconds: float,
    seed: int,
    spectrogram: dict[str, Any],
    encoder: dict[str, Any],
    weights: str,
) -> None:
    """Write mixtures of random clips: their spectrograms and an encoder's embeddings.

    Args:
        mel: path of the spectrograms to write, (count, bands, frames) float16 in dB.
        table: path of the Parquet file to write: the tracks mixed, and the embeddings.
        kind: kind of the clip source, a key of `songnet.data.sources.SOURCES`.
        clips: paths of the archives.
        track_ids: usable tracks.
        count: number of mixtures.
        clip_seconds: length to which longer clips are truncated.
        seed: random seed.
        spectrogram: spectrogram of the student, as for `make_spectrogram`.
        encoder: entry of encoders.yaml.
        weights: weights file, or the ONNX file of an encoder of kind onnx.

    Raises:
        SongNetError: the encoder needs longer music, or an embedding is not finite.
    """
    torch.set_num_threads(1)
    opened = open_encoder(encoder, weights)
    ours, theirs = make_spectrogram(spectrogram), make_spectrogram(encoder["spectrogram"])
    rate = max(ours.sample_rate, theirs.sample_rate)
    shape = (ours.bands, ours.frames(SECONDS))
    if theirs.frames(SECONDS) < opened.frames_per_step:
        raise SongNetError(f"{weights}: a patch is longer than a mixture of {SECONDS:g} s")
    rng = np.random.default_rng(seed)
    pairs, embeddings = [], []
    with (
        clip_source(kind, clips).samples(rate, clip_seconds) as read,
        replacing(mel) as temporary,
        torch.inference_mode(),
    ):
        mels = np.lib.format.open_memmap(temporary, "w+", np.float16, (count, *shape))
        for row in tqdm(range(count), desc=Path(mel).stem, unit="clip", disable=None):
            first = int(rng.choice(track_ids))
            second = first if rng.random() < ALONE else int(rng.choice(track_ids))
            samples = excerpt(read(first), round(SECONDS * rate), rate, rng)
            if second != first:
                other = excerpt(read(second), len(samples), rate, rng)
                samples = mixture(samples, other, rng.uniform(*WEIGHTS))
            levels, teachers = (
                of.offline(soxr.resample(samples, rate, of.sample_rate)) for of in (ours, theirs)
            )
            mels[row] = levels[:, : shape[1]]
            pairs.append((first, second))
            embeddings.append(embedding_of(teachers, opened, weights))
        mels.flush()
    columns = [f"{i:04d}" for i in range(opened.size)]
    found = pd.DataFrame(np.stack(embeddings), columns=columns)
    with replacing(table) as temporary:
        pd.DataFrame(pairs, columns=[FIRST, SECOND]).join(found).to_parquet(temporary)


def excerpt(samples: Samples, length: int, rate: int, rng: np.random.Generator) -> Samples:
    """Cut a random excerpt and change its speed and pitch together; a short clip is repeated."""
    speed = np.exp(rng.uniform(*np.log(SPEEDS)))
    needed = int(np.ceil(length * speed)) + 1
    start = rng.integers(max(0, len(samples) - needed) + 1)
    part = np.resize(samples[start:], needed) if len(samples) < needed else samples[start:][:needed]
    changed: Samples = soxr.resample(part, rate * speed, rate)
    return changed[:length]


def mixture(first: Samples, second: Samples, share: float) -> Samples:
    """Add two excerpts after bringing the second to the loudness of the first."""
    wanted, found = (float(np.sqrt(np.mean(x**2))) for x in (first, second))
    gain = wanted / found if found >= QUIETEST else 1.0
    mixed: Samples = share * first + (1 - share) * second * gain
    return mixed.astype(np.float32)
