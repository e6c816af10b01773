"""Draw accuracy against seconds heard."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.evaluation.tables import heard_table
    from songnet.io import replacing
    from songnet.report.figures import heard_figure

    params = snakemake.params
    tracks = pd.read_parquet(snakemake.input.tracks, columns=["artist_id"])
    verdicts = pd.concat([pd.read_parquet(path) for path in snakemake.input.verdicts])
    heard = heard_table(verdicts, tracks["artist_id"], **params.evaluation)
    with replacing(snakemake.output.table) as temporary:
        heard.to_csv(temporary, index=False)
    heard_figure(heard, params.models, snakemake.output.figure, params.dataset["note"])
