"""Combine all runs into results tables."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.evaluation.collect import write_tables

    write_tables(
        snakemake.input.metrics,
        snakemake.input.tracks,
        snakemake.output,
        snakemake.params.posters,
        snakemake.params.dataset,
        snakemake.params.reference,
        snakemake.params.evaluation,
    )
