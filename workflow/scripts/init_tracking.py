"""Prepare MLflow's store before any run."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.io import write_json
    from songnet.tracking.store import initialise

    params = snakemake.params
    experiment = initialise(params.uri, params.experiment, params.live)
    write_json(snakemake.output[0], experiment)
