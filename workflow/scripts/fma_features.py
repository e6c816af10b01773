"""Gather the baselines' features of all usable tracks."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.data.feature_tables import gather_features
    from songnet.io import replacing

    given = snakemake.input
    tracks = pd.read_parquet(given.tracks, columns=["file_name"])
    kind, threads = snakemake.params.kind, snakemake.threads
    features = gather_features(kind, given.parts, given.mel, tracks, threads)
    with replacing(snakemake.output[0]) as temporary:
        features.to_parquet(temporary)
