"""List the files of a library, and those missing in its table."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.library.shards import scan_library

    params = snakemake.params
    scan_library(
        params.paths, params.table, params.model, params.excerpt, params.time, snakemake.output
    )
