"""Compute the embeddings of one shard's clips."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.pipeline.embed import embed_shard

    tracks = pd.read_parquet(snakemake.input.tracks, columns=["shard"])
    own = tracks["shard"] == int(snakemake.wildcards.shard)
    embed_shard(
        snakemake.output[0],
        snakemake.params.kind,
        snakemake.input.clips,
        tracks.index[own].tolist(),
        snakemake.params.encoder,
        snakemake.input.weights[0],
        snakemake.params.clip_seconds,
    )
