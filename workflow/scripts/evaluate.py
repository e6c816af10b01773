"""Predict the validation and test parts of all runs of a family and measure."""

from songnet.job import job

with job(snakemake):
    import pandas as pd

    from songnet.evaluation import part_metrics, prediction_table
    from songnet.files import replacing, write_json

    tracks = pd.read_parquet(snakemake.input.tracks)
    parts = pd.read_parquet(snakemake.input.split).set_index("track_id")["split"]
    wanted = parts[parts != "train"].sort_index()
    truth = tracks.loc[wanted.index, "genre"].to_numpy()
    if snakemake.params.family == "baseline":
        from songnet.baselines import Predictor
    else:
        from songnet.training import Predictor
    predictor = Predictor(snakemake.input.data, wanted.index, snakemake.threads)
    for model, predictions, metrics in zip(
        snakemake.input.models,
        snakemake.output.predictions,
        snakemake.output.metrics,
        strict=True,
    ):
        genres, predicted, probabilities = predictor.predict(model)
        table = prediction_table(
            wanted.index.to_numpy(), wanted.to_numpy(), truth, predicted, probabilities, genres
        )
        with replacing(predictions) as temporary:
            table.to_parquet(temporary, index=False)
        found = {
            part: part_metrics(rows, tracks["artist_id"], genres, **snakemake.params.evaluation)
            for part, rows in table.groupby("split")
        }
        write_json(metrics, {"genre_names": genres, **found})
