"""Download musicnn from PyPI, verify it and convert its weights."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.models.pretrained import fetch_musicnn

    fetch_musicnn(snakemake.output[0])
