"""Match a user's feature table with the tracks."""

from songnet.pipeline.job import job

with job(snakemake) as log:
    import pandas as pd

    from songnet.features.tables import write_feature_table

    missing = write_feature_table(
        snakemake.input.table,
        snakemake.wildcards.table,
        pd.read_parquet(snakemake.input.tracks, columns=["file_name"])["file_name"],
        snakemake.output.features,
        snakemake.output.facts,
    )
    if missing:
        log.warning("%d tracks are missing: %s", len(missing), ", ".join(map(str, missing)))
