"""Write the report."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.pipeline.provenance import git_commit
    from songnet.report.page import write_report

    write_report(snakemake.input, snakemake.params, git_commit(), snakemake.output[0])
