"""Fit a scikit-learn estimator."""

from songnet.job import job

with job(snakemake):
    import pandas as pd

    from songnet import baselines
    from songnet.files import replacing, write_json
    from songnet.runs import run_record

    run = snakemake.params.run
    tracks = pd.read_parquet(snakemake.input.tracks, columns=["genre"])
    parts = pd.read_parquet(snakemake.input.split).set_index("track_id")["split"]
    baseline, history = baselines.fit_baseline(
        run, pd.read_parquet(snakemake.input.features), tracks["genre"], parts, run["seed"]
    )
    baselines.save(baseline, snakemake.output.model)
    with replacing(snakemake.output.history) as temporary:
        pd.DataFrame([history]).to_csv(temporary, index=False)
    write_json(snakemake.output.params, run_record(run, snakemake.params.source, snakemake.input))
