"""Write the table of a library."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.library.shards import gather_library

    gather_library(snakemake.input, snakemake.params.paths, snakemake.output[0])
