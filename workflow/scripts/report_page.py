"""Write the page that a run ends with."""

from songnet.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd
    import yaml
    from plotly.offline import get_plotlyjs

    from songnet import __version__, colours, pages, report, report_page
    from songnet.files import read_json
    from songnet.provenance import git_commit
    from songnet.results import runtime_table
    from songnet.runs import RunName, protocol_of
    from songnet.splits import read_parts
    from songnet.tables import read_table

    given = snakemake.input
    models = snakemake.params.models
    results, differences, genres, confusions = (
        read_table(given[name]) for name in ("results", "differences", "genres", "confusions")
    )
    tracks = pd.read_parquet(given.tracks)
    parts = report.shown_parts(confusions)
    splits = {
        Path(path).stem: read_parts(path)
        for protocol in parts
        for path in given.splits
        if protocol_of(Path(path).stem) == protocol
    }
    histories = {RunName.of(Path(path).parent): pd.read_csv(path) for path in given.histories}
    heard = report.heard_lines(read_table(given.heard[0])) if given.heard else []
    summaries = {Path(path).stem: read_json(path) for path in given.summaries}
    config = snakemake.params.config
    found = report.headline(
        results, differences, confusions, models, tracks, splits, config["reference"]
    )
    model = models[found["model"]]["title"]
    baseline = models[found["baseline"]]["title"] if found["baseline"] else None
    dataset = snakemake.params.dataset
    comparable = bool(results["poster_accuracy"].notna().any())
    claim = report.poster_claim(results, models, found["protocol"])
    rows = report.result_rows(results, differences, models, found["protocol"])
    runtime = runtime_table(snakemake.params.benchmarks).reset_index()
    pages.write_page(
        "report.html",
        snakemake.output[0],
        version=__version__,
        dataset=dataset,
        heading=report_page.title(found, model),
        certainty=report_page.certainty(
            found, model, baseline, config["evaluation"]["confidence"], claim
        ),
        comparable=comparable,
        poster=report_page.POSTER,
        reference=config["reference"],
        found=found,
        rows=[row | {"training": report_page.duration(row["train_seconds"])} for row in rows],
        protocols={name: report_page.PROTOCOLS[name] for name in parts},
        parts=parts,
        divisions={
            name: summaries[name] | {"text": report_page.division_text(summaries[name])}
            for name in splits
        },
        usable=len(tracks),
        artists=tracks["artist_id"].nunique(),
        quarantine=pd.read_csv(given.quarantine).to_dict("records"),
        job_time=report_page.duration(runtime["seconds"].sum()),
        provenance=report.provenance([read_json(path) for path in given.params]),
        commit=git_commit(),
        archives=read_json(given.archives),
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        neighbours=snakemake.params.neighbours,
        plotly=get_plotlyjs(),
        data={
            "genres": sorted(genres["genre"].unique()),
            "titles": {row["model"]: row["title"] for row in rows},
            "results": rows,
            "comparable": comparable,
            "parts": parts,
            "chosen": found["model"],
            "baselines": {name: report.best_baseline(results, models, name) for name in parts},
            "values": report.genre_values(confusions, genres, parts),
            "curves": report.curves(histories),
            "heard": heard,
            "runtime": runtime.to_dict("records"),
            "colours": {
                "protocols": colours.PROTOCOLS,
                "models": colours.PALETTE,
                "texts": [colours.text_on_heat(percent / 100) for percent in range(101)],
            },
        },
    )
