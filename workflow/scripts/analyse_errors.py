"""Write the page on errors, confidence and artists of the best network trained here."""

from songnet.pipeline.job import job

with job(snakemake):
    import torch

    from songnet.data.sources import clip_source
    from songnet.report.analysis_page import write_analysis

    torch.set_num_threads(snakemake.threads)
    given, output = snakemake.input, snakemake.output
    clips = clip_source(snakemake.params.kind, given.clips)
    write_analysis(given, clips, snakemake.params.evaluation, output.page, output.reliability)
