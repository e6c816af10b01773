"""Fit a scikit-learn estimator with each seed on each split."""

from songnet.pipeline.job import job

with job(snakemake) as log:
    from pathlib import Path

    import pandas as pd

    from songnet.data.subsets import read_subsets
    from songnet.io import replacing, write_json
    from songnet.models import baselines
    from songnet.pipeline.runs import run_record

    given, output = snakemake.input, snakemake.output
    genres = pd.read_parquet(given.tracks, columns=["genre"])["genre"]
    features = pd.read_parquet(given.features)
    splits = {Path(path).stem: path for path in given.splits}
    for i, (split, run) in enumerate(snakemake.params.runs):
        log.info("%s, seed %d", split, run["seed"])
        subsets = read_subsets(splits[split])
        baseline, history = baselines.fit_baseline(run, features, genres, subsets, run["seed"])
        baselines.save(baseline, output.models[i])
        with replacing(output.histories[i]) as temporary:
            pd.DataFrame([history]).to_csv(temporary, index=False)
        data = [given.tracks, given.features, splits[split]]
        record = run_record(run, snakemake.params.source, data, given.archives)
        write_json(output.params[i], record)
