"""Fuse the predictions of other models and measure."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd

    from songnet.evaluation.metrics import write_evaluation
    from songnet.io import replacing, sha1, write_json
    from songnet.models.fusion import fuse_runs
    from songnet.pipeline.runs import run_record

    given, output = snakemake.input, snakemake.output
    artists = pd.read_parquet(given.tracks)["artist_id"]
    for i, run in enumerate(snakemake.params.runs):
        paths = run.pop("predictions")
        fused = [path for name in paths for path in paths[name]]
        seconds = [pd.read_csv(Path(path).with_name("history.csv"))["seconds"] for path in fused]
        fusion = fuse_runs(
            {name: [pd.read_parquet(path) for path in paths[name]] for name in paths},
            float(pd.concat(seconds).sum()),
        )
        write_evaluation(
            output.predictions[i], output.metrics[i], fusion.predictions, artists,
            **snakemake.params.evaluation,
        )  # fmt: skip
        with replacing(output.history[i]) as temporary:
            fusion.history.to_csv(temporary, index=False)
        write_json(output.model[i], {"weights": fusion.weights})
        run["fused"] = {path: sha1(path) for path in fused}
        data = [given.tracks, given.split]
        record = run_record(run, snakemake.params.source, data, given.archives)
        write_json(output.params[i], record)
