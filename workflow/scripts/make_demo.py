"""Generate the demo data set."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.demo.archives import make_demo

    make_demo(
        snakemake.output.metadata,
        snakemake.output.audio,
        snakemake.params.genres,
        workers=snakemake.threads,
        **snakemake.params.synthesis,
    )
