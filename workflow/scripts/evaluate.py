"""Predict the validation and test parts and measure."""

from songnet.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd

    from songnet.evaluation import part_metrics, prediction_table
    from songnet.files import replacing, write_json

    tracks = pd.read_parquet(snakemake.input.tracks)
    parts = pd.read_parquet(snakemake.input.split).set_index("track_id")["split"]
    wanted = parts[parts != "train"].sort_index()
    data = snakemake.input.data
    if snakemake.params.family == "baseline":
        from songnet import baselines

        baseline = baselines.load(snakemake.input.model)
        features = pd.read_parquet(data).loc[wanted.index]
        genres = baseline.genres
        predicted, probabilities = baseline.predict(features)
    else:
        import numpy as np
        import torch

        from songnet import crnn, training
        from songnet.shards import MelShards

        torch.set_num_threads(snakemake.threads)
        model, genres = crnn.load(snakemake.input.model)
        shards = MelShards(Path(data[0]).parent, pd.read_parquet(data[0]))
        probabilities = np.exp(
            training.predict_clips(model.to(training.device()), shards, wanted.index.to_numpy())
        )
        predicted = np.array(genres)[probabilities.argmax(axis=1)]
    truth = tracks.loc[wanted.index, "genre"].to_numpy()
    table = prediction_table(
        wanted.index.to_numpy(), wanted.to_numpy(), truth, predicted, probabilities, genres
    )
    with replacing(snakemake.output.predictions) as temporary:
        table.to_parquet(temporary, index=False)
    metrics = {
        part: part_metrics(rows, tracks["artist_id"], genres, **snakemake.params.evaluation)
        for part, rows in table.groupby("split")
    }
    write_json(snakemake.output.metrics, {"genre_names": genres, **metrics})
