"""Write shards of mel-spectrograms; `songnet.data.shards` reads them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from songnet.data.clips import ClipSource, Spectrograms
from songnet.errors import SongNetError, UnusableClipError
from songnet.features.spectrogram import Spectrogram
from songnet.io import replacing

# A shard of this many clips without a usable one is a systematic error, so the job fails.
SUSPICIOUS = 10
CLIP_COLUMNS = [
    "file", "row", "frames", "seconds", "lost_seconds", "sample_rate", "channels", "sha1",
    "problem",
]  # fmt: skip


def write_shard(
    npy: str,
    clips_csv: str,
    source: ClipSource,
    track_ids: list[int],
    spectrogram: Spectrogram,
    min_seconds: float,
    clip_seconds: float,
) -> None:
    """Write the spectrograms of a shard, and a table of its clips.

    Args:
        npy: output, spectrograms of the usable clips (tracks, bands, frames) float16 in dB; short
            ones are padded with the floor.
        clips_csv: output, one row per clip, columns CLIP_COLUMNS. For unusable clips ``row`` is -1
            and ``problem`` gives the reason.
        source: source of the clips.
        track_ids: tracks of the shard.
        spectrogram: kind of spectrogram to compute.
        min_seconds: shorter clips are unusable.
        clip_seconds: longer clips are cut.

    Raises:
        SongNetError: none of SUSPICIOUS or more clips is usable.
    """
    with source.spectrograms(track_ids, spectrogram, min_seconds, clip_seconds) as spectrograms:
        mels, clips = _read_all(spectrograms, track_ids, spectrogram.floor, Path(npy).stem)
    problems = clips["problem"].dropna()
    if len(problems) == len(clips) >= SUSPICIOUS:
        raise SongNetError(
            f"{', '.join(source.paths)}: none of the {len(clips)} clips of shard {Path(npy).stem} "
            f"can be used (track {problems.index[0]}: {problems.iloc[0]})"
        )
    clips["file"] = Path(npy).name
    with replacing(npy) as temporary:
        np.save(temporary, mels)
    with replacing(clips_csv) as temporary:
        clips.to_csv(temporary, index_label="track_id")


def _read_all(
    spectrograms: Spectrograms, track_ids: list[int], floor: float, shard: str
) -> tuple[np.ndarray, pd.DataFrame]:
    """Read all usable spectrograms, (tracks, bands, frames) float16, and facts about all clips."""
    # Filled in place, since stacking a list of spectrograms would double the memory.
    mels = np.empty((len(track_ids), *spectrograms.shape), np.float16)
    usable = 0
    rows: dict[int, dict[str, Any]] = {}
    for track_id in tqdm(track_ids, desc=shard, unit="clip", disable=None):
        try:
            mel, facts = spectrograms.read(track_id)
            if not np.ptp(mel):
                raise UnusableClipError("the spectrogram is constant")
        except UnusableClipError as unusable:
            rows[track_id] = {"row": -1, "problem": str(unusable)}
            continue
        frames = min(mel.shape[1], mels.shape[2])
        mels[usable, :, :frames] = mel[:, :frames]
        mels[usable, :, frames:] = floor
        rows[track_id] = facts | {"row": usable, "frames": frames}
        usable += 1
    clips = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=CLIP_COLUMNS)
    return mels[:usable], clips
