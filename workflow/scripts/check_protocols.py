"""Fail if a protocol cannot split the selected tracks."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.data.protocols import check_protocols
    from songnet.io import write_json

    check_protocols(pd.read_parquet(snakemake.input.selection), snakemake.params.protocols)
    write_json(snakemake.output[0], snakemake.params.protocols)
