"""Fuse the predictions of other models and evaluate the fusions."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.pipeline.fuse import fuse_all

    fuse_all(snakemake.input, snakemake.output, **dict(snakemake.params.items()))
