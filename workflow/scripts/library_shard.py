"""Classify one shard of a library's files."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.library.shards import classify_shard

    params = snakemake.params
    classify_shard(
        snakemake.input,
        params.table,
        int(snakemake.wildcards.part),
        params.shards,
        params.model,
        params.excerpt,
        snakemake.threads,
    )
