"""Measure accuracy by excerpt length."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.evaluation.bootstrap import Bootstrap
    from songnet.evaluation.excerpts import excerpt_table
    from songnet.io import replacing

    tracks = pd.read_parquet(snakemake.input.tracks, columns=["artist_id"])
    predictions = pd.concat([pd.read_parquet(path) for path in snakemake.input.predictions])
    bootstrap = Bootstrap(tracks["artist_id"], **snakemake.params.evaluation)
    table = excerpt_table(predictions, bootstrap)
    with replacing(snakemake.output[0]) as temporary:
        table.to_csv(temporary, index=False)
