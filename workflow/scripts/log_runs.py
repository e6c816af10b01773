"""Upload runs that MLflow does not have yet."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    from songnet.io import write_json
    from songnet.tracking.upload import upload_runs
    from songnet.tracking.views import describe_experiment

    params = snakemake.params
    folders = [Path(path).parent for path in snakemake.input.runs]
    run_ids = upload_runs(params.uri, params.experiment, folders)
    views = describe_experiment(params.uri, params.experiment, params.note, params.protocols)
    write_json(snakemake.output.views, views)
    write_json(snakemake.output.runs, run_ids)
