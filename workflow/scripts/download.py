"""Download one archive and verify its SHA-1."""

from songnet.pipeline.job import job

with job(snakemake):
    import os

    from songnet.data.download import download

    archive = f"{snakemake.wildcards.archive}.zip"
    urls = os.environ["SONGNET_URLS"].split()
    download(archive, urls, snakemake.params.sha1, snakemake.output[0])
