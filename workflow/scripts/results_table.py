"""Write the results as text."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd

    from songnet.evaluation.table_files import read_table
    from songnet.io import read_json, replacing
    from songnet.report.markdown import results_page

    page = results_page(
        dataset=snakemake.params.dataset,
        models=snakemake.params.models,
        results=read_table(snakemake.input.results),
        differences=read_table(snakemake.input.differences),
        leaks=read_table(snakemake.input.leaks),
        genres=read_table(snakemake.input.genres),
        confusions=read_table(snakemake.input.confusions),
        tracks=pd.read_parquet(snakemake.input.tracks),
        quarantine=pd.read_csv(snakemake.input.quarantine),
        archives=read_json(snakemake.input.archives),
        confidence=snakemake.params.confidence,
        splits={Path(path).stem: read_json(path) for path in snakemake.input.summaries},
    )
    with replacing(snakemake.output[0]) as temporary:
        temporary.write_text(page, encoding="utf-8")
