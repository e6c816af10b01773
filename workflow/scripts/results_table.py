"""Write the results tables as Markdown."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.report.findings import Findings
    from songnet.report.markdown import write_results

    found = Findings.read(snakemake.input, snakemake.params)
    write_results(found, snakemake.output[0])
