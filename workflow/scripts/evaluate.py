"""Predict the validation and test parts of all runs of a family and measure."""

from songnet.job import job

with job(snakemake):
    import pandas as pd

    from songnet.evaluation import prediction_table, write_evaluation
    from songnet.splits import read_parts

    tracks = pd.read_parquet(snakemake.input.tracks)
    parts = read_parts(snakemake.input.split)
    wanted = parts[parts != "train"].sort_index().to_frame().join(tracks["genre"]).reset_index()
    known = tracks.loc[wanted["track_id"]]
    if snakemake.params.family == "baseline":
        from songnet import baselines

        predictor = baselines.Predictor(snakemake.input.data, known)
    else:
        from songnet import prediction

        predictor = prediction.Predictor(snakemake.input.data, known, snakemake.threads)
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
