"""Extract one test clip per genre from the archive."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.data.examples import write_examples
    from songnet.data.sources import clip_source

    write_examples(
        clip_source(snakemake.params.kind, snakemake.input.clips),
        snakemake.input.tracks,
        snakemake.input.split[0],
        snakemake.output[0],
    )
