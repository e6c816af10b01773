"""Write the page on the filters of the best network trained here."""

from songnet.pipeline.job import job

with job(snakemake):
    import torch

    from songnet.data.sources import clip_source
    from songnet.report.filters_page import write_filters

    torch.set_num_threads(snakemake.threads)
    clips = clip_source(snakemake.params.kind, snakemake.input.clips)
    write_filters(snakemake.input, clips, snakemake.output[0])
