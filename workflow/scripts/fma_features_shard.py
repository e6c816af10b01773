"""Compute the 518 features of one shard's clips."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from tqdm import tqdm

    from songnet.data.sources import clip_source
    from songnet.features import fma518
    from songnet.io import replacing

    tracks = pd.read_parquet(snakemake.input.tracks, columns=["shard"])
    track_ids = tracks.index[tracks["shard"] == int(snakemake.wildcards.shard)]
    source = clip_source(snakemake.params.kind, snakemake.input.clips)
    progress = tqdm(
        track_ids, desc=f"features {Path(snakemake.output[0]).stem}", unit="clip", disable=None
    )
    with source.samples(fma518.SAMPLE_RATE, snakemake.params.clip_seconds) as read:
        rows = [fma518.fma_features(read(track_id)) for track_id in progress]
    columns = fma518.columns()
    values = np.stack(rows) if rows else np.empty((0, len(columns)), np.float32)
    with replacing(snakemake.output[0]) as temporary:
        pd.DataFrame(values, index=track_ids, columns=columns).to_parquet(temporary)
