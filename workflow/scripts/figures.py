"""Draw the figures of the report."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.report.figures import draw_figures

    params = snakemake.params
    draw_figures(snakemake.input, params.models, params.dataset["title"], snakemake.output)
