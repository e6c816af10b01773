"""Fetch one archive and check its SHA-1."""

from songnet.job import job

with job(snakemake):
    from songnet.download import download

    archive = f"{snakemake.wildcards.archive}.zip"
    download(archive, snakemake.params.urls, snakemake.params.sha1, snakemake.output[0])
