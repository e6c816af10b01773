"""Fetch musicnn from PyPI, check it and convert its weights."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.models.pretrained import fetch_musicnn

    encoder = snakemake.params.encoder
    facts = {name: encoder[name] for name in ("title", "pretrained")}
    fetch_musicnn(encoder["genres"], facts, snakemake.output[0])
