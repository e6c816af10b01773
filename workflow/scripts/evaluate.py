"""Predict the validation and test parts of all runs of a family and measure."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.data.subsets import read_parts
    from songnet.evaluation.metrics import write_evaluation
    from songnet.io import load_class
    from songnet.models.predictions import prediction_table
    from songnet.models.registry import FAMILIES

    tracks = pd.read_parquet(snakemake.input.tracks)
    parts = read_parts(snakemake.input.split)
    wanted = parts[parts != "train"].sort_index().to_frame().join(tracks["genre"]).reset_index()
    known = tracks.loc[wanted["track_id"]]
    kind = load_class(FAMILIES[snakemake.params.family].predictor)
    predictor = kind(snakemake.input.data, known, snakemake.threads)
    for model, predictions, metrics in zip(
        snakemake.input.models,
        snakemake.output.predictions,
        snakemake.output.metrics,
        strict=True,
    ):
        genres, predicted, probabilities = predictor.predict(model)
        table = prediction_table(wanted, predicted, probabilities, genres)
        write_evaluation(
            predictions, metrics, table, tracks["artist_id"], **snakemake.params.evaluation
        )
