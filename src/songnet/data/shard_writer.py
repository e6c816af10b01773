"""Writes shards of mel-spectrograms; `songnet.data.shards` reads them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from songnet.data.archives import open_zip, read_clip
from songnet.errors import SongNetError, UnusableClipError
from songnet.features.audio import clip_samples, is_silent
from songnet.features.mel import FLOOR_DB, MelConfig, mel_spectrogram
from songnet.io import replacing

# So many clips in a row that cannot be used are no accident: the run stops early.
SUSPICIOUS = 10
CLIP_COLUMNS = [
    "file", "row", "frames", "seconds", "lost_seconds", "sample_rate", "channels", "sha1",
    "problem",
]  # fmt: skip
Mel = NDArray[np.float32]
# What one clip gives: its spectrogram (mels, frames) and facts for the index.
Found = tuple[Mel, dict[str, Any]]


def audio_reader(
    archive: Any, subset: str, config: MelConfig, min_seconds: float, clip_seconds: float
) -> Callable[[int], Found]:
    """Return a function that makes the spectrogram of one clip in an open audio archive."""

    def read(track_id: int) -> Found:
        content = read_clip(archive, subset, track_id)
        facts: dict[str, Any] = {"sha1": hashlib.sha1(content.getbuffer()).hexdigest()}
        samples, clip = clip_samples(content, config.sample_rate, clip_seconds, min_seconds)
        used = clip.samples[: int(clip_seconds * clip.sample_rate)]
        if is_silent(used.min(), used.max()):
            raise UnusableClipError("silent: nothing above -80 dB")
        facts |= {"seconds": round(min(clip.seconds, clip_seconds), 3)}
        facts |= {"lost_seconds": round(clip.lost_seconds, 3)}
        facts |= {"sample_rate": clip.sample_rate, "channels": clip.channels}
        return mel_spectrogram(samples, config), facts

    return read


def make_audio_shard(
    npy: str,
    clips_csv: str,
    archive: str,
    selected: pd.DataFrame,
    subset: str,
    config: MelConfig,
    min_seconds: float,
    clip_seconds: float,
) -> None:
    """Decode the clips of one shard straight from the zip and write their spectrograms.

    Args:
        npy: output (tracks, n_mels, frames) float16, dB, only sound clips; short ones are padded
            with the floor.
        clips_csv: output, one row a clip, columns CLIP_COLUMNS; ``row`` is -1 where ``problem``
            says why the clip is unusable.
        archive: ``fma_<subset>.zip``.
        selected: the shard's part of the selection.
        subset: FMA's subset.
        config: of the spectrograms.
        min_seconds: shorter clips are unusable.
        clip_seconds: longer clips are cut.
    """
    with open_zip(archive) as file:
        read = audio_reader(file, subset, config, min_seconds, clip_seconds)
        frames = config.frames(clip_seconds)
        write_shard(npy, clips_csv, archive, selected, read, (config.n_mels, frames))


def write_shard(
    npy: str,
    clips_csv: str,
    source: str,
    selected: pd.DataFrame,
    read: Callable[[int], Found],
    shape: tuple[int, ...],
) -> None:
    """Write the spectrograms of a shard's clips, and what is known of each clip.

    Args:
        npy: output (tracks, bands, frames) float16, dB, of usable clips; short ones are padded with
            the floor.
        clips_csv: output, one row a clip, columns CLIP_COLUMNS; ``row`` is -1 where ``problem``
            says why the clip is unusable.
        source: where the clips come from, for errors.
        selected: the shard's part of the selection.
        read: gives the spectrogram of a track (bands, frames) and facts for the index.
        shape: (bands, frames) of the output.

    Raises:
        SongNetError: no clip of many can be used.
    """
    # Filled in place: a list of spectrograms would be held twice when it is put together.
    mels = np.empty((len(selected), *shape), np.float16)
    sound = 0
    rows: dict[int, dict[str, Any]] = {}
    for track_id in tqdm(selected.index, desc=Path(npy).stem, unit="clip", disable=None):
        try:
            mel, facts = read(track_id)
            if not np.ptp(mel):  # also where channels cancel each other
                raise UnusableClipError("the spectrogram is constant")
        except UnusableClipError as unusable:
            rows[track_id] = {"row": -1, "problem": str(unusable)}
            continue
        frames = min(mel.shape[1], shape[1])
        mels[sound, :, :frames] = mel[:, :frames]
        mels[sound, :, frames:] = FLOOR_DB
        rows[track_id] = facts | {"row": sound, "frames": frames}
        sound += 1
    if not sound and len(rows) >= SUSPICIOUS:
        first, fact = next(iter(rows.items()))
        raise SongNetError(
            f"{source}: none of the {len(rows)} clips of shard {Path(npy).stem} can be used "
            f"(track {first}: {fact['problem']})"
        )
    clips = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=CLIP_COLUMNS)
    clips["file"] = Path(npy).name
    with replacing(npy) as temporary:
        np.save(temporary, mels[:sound])
    with replacing(clips_csv) as temporary:
        clips.to_csv(temporary, index_label="track_id")
