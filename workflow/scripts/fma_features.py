"""Combine the features of the baselines for all usable tracks."""

from songnet.pipeline.job import job

with job(snakemake):
    import numpy as np
    import pandas as pd

    from songnet.data import published_features
    from songnet.data.shards import MelShards
    from songnet.features import fma518
    from songnet.io import replacing

    track_ids = pd.read_parquet(snakemake.input.tracks, columns=["genre"]).index
    parts = snakemake.input.parts
    if snakemake.params.kind == "published":
        features = published_features.read_features(parts[0], track_ids, snakemake.threads)
    elif snakemake.params.kind == "computed":
        features = pd.concat([pd.read_parquet(path) for path in parts]).loc[track_ids]
    else:
        mels = MelShards.read(snakemake.input.mel)
        rows = np.stack([fma518.mfcc_features(mels.mel(i)) for i in track_ids])
        features = pd.DataFrame(rows, index=track_ids, columns=fma518.columns(("mfcc",)))
    with replacing(snakemake.output[0]) as temporary:
        features.to_parquet(temporary)
