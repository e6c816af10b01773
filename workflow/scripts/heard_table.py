"""Measure accuracy by excerpt length."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.evaluation.tables import heard_table
    from songnet.io import replacing

    tracks = pd.read_parquet(snakemake.input.tracks, columns=["artist_id"])
    verdicts = pd.concat([pd.read_parquet(path) for path in snakemake.input.verdicts])
    heard = heard_table(verdicts, tracks["artist_id"], **snakemake.params.evaluation)
    with replacing(snakemake.output[0]) as temporary:
        heard.to_csv(temporary, index=False)
