"""Split the tracks under one protocol."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.data.splits import split_summary, split_tracks
    from songnet.io import replacing, write_json

    tracks = pd.read_parquet(snakemake.input.tracks)
    protocol, shares = snakemake.params.protocol, snakemake.params.shares
    subsets = split_tracks(tracks, protocol, shares, snakemake.params.seed)
    with replacing(snakemake.output.split) as temporary:
        subsets.reset_index().to_parquet(temporary, index=False)
    write_json(snakemake.output.summary, split_summary(tracks, subsets, shares))
