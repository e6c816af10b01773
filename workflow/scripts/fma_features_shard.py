"""The 518 features of one shard's clips."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from tqdm import tqdm

    from songnet.data.archives import open_zip, read_clip, still_sound
    from songnet.features import fma518
    from songnet.features.audio import clip_samples
    from songnet.io import replacing

    tracks = pd.read_parquet(snakemake.input.tracks, columns=["shard"])
    track_ids = tracks.index[tracks["shard"] == int(snakemake.wildcards.shard)]
    rate, seconds = fma518.SAMPLE_RATE, snakemake.params.clip_seconds
    rows = []
    with open_zip(snakemake.input.clips[0]) as archive:
        for track_id in tqdm(
            track_ids, desc=f"features {Path(snakemake.output[0]).stem}", unit="clip", disable=None
        ):
            with still_sound(archive, track_id):
                content = read_clip(archive, snakemake.params.subset, track_id)
                samples, _ = clip_samples(content, rate, seconds)
            rows.append(fma518.fma_features(samples))
    columns = fma518.columns()
    values = np.stack(rows) if rows else np.empty((0, len(columns)), np.float32)
    with replacing(snakemake.output[0]) as temporary:
        pd.DataFrame(values, index=track_ids, columns=columns).to_parquet(temporary)
