"""Gather all runs into tables."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd

    from songnet.evaluation.tables import (
        confusion_table,
        difference_table,
        genre_table,
        leak_table,
        poster_applies,
        read_runs,
        recall_intervals,
        results_table,
    )
    from songnet.io import replacing

    runs = read_runs([Path(path).parent for path in snakemake.input.metrics])
    tracks = pd.read_parquet(snakemake.input.tracks, columns=["artist_id", "genre"])
    artists = tracks["artist_id"]
    confusions = confusion_table(runs)
    params = snakemake.params
    intervals = recall_intervals(runs, artists, **params.evaluation)
    applies = poster_applies(params.dataset, tracks["genre"])
    tables = {
        "results": results_table(
            runs, artists, params.posters if applies else {}, **params.evaluation
        ),
        "differences": difference_table(
            runs, artists, **params.evaluation, reference=params.reference
        ),
        "leaks": leak_table(runs, artists, **params.evaluation),
        "genres": genre_table(confusions).merge(intervals, how="left"),
        "confusions": confusions,
    }
    for name, table in tables.items():
        with replacing(snakemake.output[name]) as temporary:
            table.to_csv(temporary, index=False)
