"""Genres of one share of a library."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.library.shards import listen_to_shard

    params = snakemake.params
    listen_to_shard(
        snakemake.input,
        params.table,
        int(snakemake.wildcards.part),
        params.shards,
        params.model,
        params.excerpt,
        snakemake.threads,
    )
