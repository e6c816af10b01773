"""Measure a network's accuracy on the first seconds of each clip."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.evaluation.excerpts import excerpt_predictions
    from songnet.io import replacing

    found = excerpt_predictions(
        snakemake.input.models,
        snakemake.input.data,
        snakemake.input.tracks,
        snakemake.input.splits,
        snakemake.params.seconds,
        snakemake.threads,
    )
    with replacing(snakemake.output[0]) as temporary:
        found.to_parquet(temporary, index=False)
