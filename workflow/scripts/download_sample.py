"""Download a sample of clips per genre from the remote archives."""

from songnet.pipeline.job import job

with job(snakemake):
    import os

    from songnet.data.sample import fetch_sample

    params = snakemake.params
    fetch_sample(
        os.environ["SONGNET_URLS"].split(),
        params.subset,
        params.genres,
        params.tracks_per_genre,
        snakemake.output.metadata,
        snakemake.output.clips,
    )
