"""Combine the embeddings of all tracks into one feature table."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.io import replacing

    track_ids = pd.read_parquet(snakemake.input.tracks, columns=["genre"]).index
    table = pd.concat([pd.read_parquet(path) for path in snakemake.input.parts])
    with replacing(snakemake.output[0]) as temporary:
        table.loc[track_ids].to_parquet(temporary)
