"""Select the network with the best validation accuracy that streams audio alone."""

from songnet.pipeline.job import job

with job(snakemake):
    from songnet.realtime.served import keep_best
    from songnet.report.card import write_card

    run = keep_best(
        snakemake.input.models,
        snakemake.output.weights,
        snakemake.params.titles,
        snakemake.params.dataset,
    )
    write_card(snakemake.output.weights, run, snakemake.output.card)
