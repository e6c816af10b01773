"""Train a network on spectrograms."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.pipeline.train_network import train_run

    train_run(
        snakemake.input,
        snakemake.output,
        threads=snakemake.threads,
        **dict(snakemake.params.items()),
    )
