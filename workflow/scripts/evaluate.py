"""Predict the validation and test tracks of a model's runs and measure them."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.evaluation.evaluate import evaluate_runs

    evaluate_runs(
        snakemake.params.predictor,
        snakemake.input.models,
        snakemake.input.data,
        snakemake.input.tracks,
        snakemake.input.splits,
        snakemake.threads,
        snakemake.params.evaluation,
    )
