"""Keep the served network: the best on validation of those that need only music, as it plays."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.realtime.served import keep_best

    keep_best(
        snakemake.input.models,
        snakemake.output[0],
        snakemake.params.titles,
        snakemake.params.dataset,
    )
