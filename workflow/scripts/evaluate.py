"""Evaluate all runs of a model on the validation and test subsets."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.evaluation.evaluate import evaluate_runs
    from songnet.io import replacing

    excerpts = evaluate_runs(
        snakemake.params.predictor,
        snakemake.input.models,
        snakemake.input.data,
        snakemake.input.tracks,
        snakemake.input.splits,
        snakemake.threads,
        snakemake.params.evaluation,
        snakemake.params.seconds,
    )
    for path in snakemake.output.excerpts:
        with replacing(path) as temporary:
            excerpts.to_parquet(temporary, index=False)
