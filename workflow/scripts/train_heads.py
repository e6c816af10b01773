"""Fit heads on embeddings with each seed on each split and keep the best on validation."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.pipeline.train_heads import train_heads

    train_heads(
        snakemake.input,
        snakemake.output,
        threads=snakemake.threads,
        **dict(snakemake.params.items()),
    )
