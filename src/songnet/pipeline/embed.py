"""Job that embeds the clips of a shard."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from songnet.data.sources import clip_source
from songnet.errors import SongNetError
from songnet.features.spectrogram import make_spectrogram
from songnet.io import replacing
from songnet.models.base import load
from songnet.models.encoders import Encoder, OnnxEncoder


def embed_shard(
    output: str,
    kind: str,
    clips: list[str],
    track_ids: list[int],
    encoder: dict[str, Any],
    weights: str,
    clip_seconds: float,
) -> None:
    """Write the embeddings of a shard's clips, float32, index track_id.

    Args:
        output: path of the Parquet file to write.
        kind: kind of the clip source, a key of `songnet.data.sources.SOURCES`.
        clips: paths of the archives.
        track_ids: usable tracks of the shard.
        encoder: entry of encoders.yaml.
        weights: weights file, or the ONNX file of an encoder of kind onnx.
        clip_seconds: length to which longer clips are truncated.

    Raises:
        SongNetError: an embedding is not finite.
    """
    torch.set_num_threads(1)
    opened = open_encoder(encoder, weights)
    spectrogram = make_spectrogram(encoder["spectrogram"])
    rows = []
    with (
        clip_source(kind, clips).samples(spectrogram.sample_rate, clip_seconds) as read,
        torch.inference_mode(),
    ):
        for track_id in tqdm(track_ids, desc=Path(output).stem, unit="clip", disable=None):
            rows.append(embedding_of(spectrogram.offline(read(track_id)), opened, weights))
    columns = [f"{i:04d}" for i in range(opened.size)]
    values = np.stack(rows) if rows else np.empty((0, opened.size), np.float32)
    table = pd.DataFrame(values, pd.Index(track_ids, name="track_id"), columns)
    with replacing(output) as temporary:
        table.to_parquet(temporary)


def embedding_of(levels: NDArray[Any], encoder: Encoder, weights: str) -> NDArray[np.float32]:
    """Embed a spectrogram, (bands, frames) in dB, as streams do, which round it to float16.

    Raises:
        SongNetError: the embedding is not finite.
    """
    rounded = levels.astype(np.float16).astype(np.float32)
    embedding: NDArray[np.float32] = encoder.embed(torch.from_numpy(rounded)).numpy()
    if not np.isfinite(embedding).all():
        raise SongNetError(
            f"{weights}: an embedding is not finite; compare scale, offset and spectrogram in "
            "encoders.yaml with what the encoder expects"
        )
    return embedding


def open_encoder(encoder: dict[str, Any], weights: str) -> Encoder:
    """Load an encoder.

    Args:
        encoder: entry of encoders.yaml.
        weights: weights file written by `songnet.models.pretrained`, or an ONNX file.
    """
    if encoder["kind"] == "onnx":
        names = ("patch_frames", "sha256", "axes", "scale", "offset", "input", "output")
        bands = make_spectrogram(encoder["spectrogram"]).bands
        return OnnxEncoder(weights, bands=bands, **{name: encoder[name] for name in names}).eval()
    return cast("Encoder", load(weights).network.encoder)
