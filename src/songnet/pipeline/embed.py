"""Embeddings of a shard's clips as a job."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from songnet.data.sources import clip_source
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
    """Write the embeddings of some clips, float32, index track_id.

    Args:
        output: path of a Parquet file.
        kind: of the source of clips.
        clips: paths of the archives.
        track_ids: usable tracks of the shard.
        encoder: entry of encoders.yaml.
        weights: file of weights, or the graph of an encoder of kind onnx.
        clip_seconds: longer clips are cut.
    """
    torch.set_num_threads(1)
    embed = open_encoder(encoder, weights)
    spectrogram = make_spectrogram(encoder["spectrogram"])
    rows = []
    with (
        clip_source(kind, clips).samples(spectrogram.sample_rate, clip_seconds) as read,
        torch.inference_mode(),
    ):
        for track_id in tqdm(track_ids, desc=Path(output).stem, unit="clip", disable=None):
            # Streams read spectrograms as float16, too.
            levels = spectrogram.offline(read(track_id)).astype(np.float16).astype(np.float32)
            rows.append(embed.embed(torch.from_numpy(levels)).numpy())
    columns = [f"{i:04d}" for i in range(embed.size)]
    values = np.stack(rows) if rows else np.empty((0, embed.size), np.float32)
    table = pd.DataFrame(values, pd.Index(track_ids, name="track_id"), columns)
    with replacing(output) as temporary:
        table.to_parquet(temporary)


def open_encoder(encoder: dict[str, Any], weights: str) -> Encoder:
    """Open an encoder ready to embed.

    Args:
        encoder: entry of encoders.yaml.
        weights: file of weights that `songnet.models.pretrained` wrote, or a graph.
    """
    if encoder["kind"] == "onnx":
        names = ("patch_frames", "sha256", "axes", "scale", "offset", "input", "output")
        bands = make_spectrogram(encoder["spectrogram"]).bands
        return OnnxEncoder(weights, bands=bands, **{name: encoder[name] for name in names}).eval()
    return cast("Encoder", load(weights).network.encoder)
