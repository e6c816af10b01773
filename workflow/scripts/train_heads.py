"""Fit a head on embeddings with each seed under each protocol."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.pipeline.train_heads import train_heads

    train_heads(
        snakemake.input,
        snakemake.output,
        threads=snakemake.threads,
        **dict(snakemake.params.items()),
    )
