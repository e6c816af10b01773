"""Prepare MLflow's store before any run."""

from songnet.job import job

with job(snakemake):
    from songnet.files import write_json
    from songnet.tracking import initialise

    params = snakemake.params
    experiment = initialise(params.uri, params.experiment, params.note, params.live)
    write_json(snakemake.output[0], experiment)
