"""Prepare MLflow's store before any run."""

from songnet.job import job

with job(snakemake):
    from songnet.files import write_json
    from songnet.tracking import initialise

    experiment = initialise(
        snakemake.params.uri, snakemake.params.experiment, snakemake.params.note
    )
    write_json(snakemake.output[0], experiment)
