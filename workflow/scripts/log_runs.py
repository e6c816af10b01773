"""Upload what MLflow does not have yet."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    from songnet.io import write_json
    from songnet.tracking.upload import upload_runs

    run_ids = upload_runs(
        snakemake.params.uri,
        snakemake.params.experiment,
        [Path(path).parent for path in snakemake.input.runs],
        snakemake.params.note,
    )
    write_json(snakemake.output[0], run_ids)
