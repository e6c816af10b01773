"""Fit a scikit-learn estimator with each of its seeds under one protocol."""

from songnet.job import job

with job(snakemake) as log:
    import pandas as pd

    from songnet import baselines
    from songnet.files import replacing, write_json
    from songnet.runs import run_record
    from songnet.splits import read_parts

    output = snakemake.output
    genres = pd.read_parquet(snakemake.input.tracks, columns=["genre"])["genre"]
    parts = read_parts(snakemake.input.split)
    features = pd.read_parquet(snakemake.input.features)
    for i, run in enumerate(snakemake.params.runs):
        log.info("%s, seed %d", run["model"], run["seed"])
        baseline, history = baselines.fit_baseline(run, features, genres, parts, run["seed"])
        baselines.save(baseline, output.models[i])
        with replacing(output.histories[i]) as temporary:
            pd.DataFrame([history]).to_csv(temporary, index=False)
        record = run_record(run, snakemake.params.source, snakemake.input)
        write_json(output.params[i], record)
