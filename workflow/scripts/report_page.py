"""Write the page that a run ends with."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd
    from plotly.offline import get_plotlyjs

    from songnet import __version__
    from songnet.data.subsets import read_parts
    from songnet.evaluation.runs import RunName
    from songnet.evaluation.table_files import read_table
    from songnet.evaluation.tables import runtime_table
    from songnet.io import read_json
    from songnet.pipeline.provenance import git_commit
    from songnet.report.page import Made, page_values
    from songnet.report.pages import write_page

    given, params = snakemake.input, snakemake.params
    made = Made(
        results=read_table(given.results),
        differences=read_table(given.differences),
        leaks=read_table(given.leaks),
        genres=read_table(given.genres),
        confusions=read_table(given.confusions),
        heard=read_table(given.heard[0]) if given.heard else None,
        tracks=pd.read_parquet(given.tracks),
        quarantine=pd.read_csv(given.quarantine),
        splits={Path(path).stem: read_parts(path) for path in given.splits},
        summaries={Path(path).stem: read_json(path) for path in given.summaries},
        records=[read_json(path) for path in given.params],
        histories={RunName.of(Path(path).parent): pd.read_csv(path) for path in given.histories},
        runtime=runtime_table(params.benchmarks),
        archives=read_json(given.archives),
    )
    values = page_values(made, params.dataset, params.models, params.config, params.neighbours)
    write_page(
        "report.html",
        snakemake.output[0],
        version=__version__,
        commit=git_commit(),
        plotly=get_plotlyjs(),
        **values,
    )
