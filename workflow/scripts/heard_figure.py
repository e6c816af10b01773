"""Draw accuracy against seconds heard."""

from songnet.job import job

with job(snakemake):
    import pandas as pd

    from songnet.figures import heard_figure
    from songnet.files import replacing
    from songnet.tables import read_table

    heard = pd.concat([read_table(path) for path in snakemake.input])
    with replacing(snakemake.output.table) as temporary:
        heard.to_csv(temporary, index=False)
    models, note = snakemake.params.models, snakemake.params.dataset["note"]
    heard_figure(heard, models, snakemake.output.figure, note)
