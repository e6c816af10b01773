"""Job that fits the fusions of a split, which combine the predictions of other runs."""

from pathlib import Path
from typing import Any

import pandas as pd

from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.metrics import write_evaluation
from songnet.io import replacing, sha1, write_json
from songnet.models.fusion import fuse_runs
from songnet.pipeline.runs import run_record


def fuse_all(
    given: Any, output: Any, runs: list[dict[str, Any]], evaluation: dict[str, Any], source: str
) -> None:
    """Fit and evaluate fusions, and write the files of their runs.

    Args:
        given: input paths ``tracks``, ``split`` and ``archives``.
        output: output paths ``params``, ``history``, ``model``, ``predictions`` and ``metrics``,
            each a list with one path per run.
        runs: protocol, model, seed and models.yaml entry of each run, and ``predictions``: paths
            of predictions.parquet by member.
        evaluation: resamples and confidence of the bootstrap.
        source: digest of the code.
    """
    artists = pd.read_parquet(given.tracks)["artist_id"]
    bootstrap = Bootstrap(artists, **evaluation)
    for i, run in enumerate(runs):
        paths = run.pop("predictions")
        fused = [path for name in paths for path in paths[name]]
        seconds = [pd.read_csv(Path(path).with_name("history.csv"))["seconds"] for path in fused]
        fusion = fuse_runs(
            {name: [pd.read_parquet(path) for path in paths[name]] for name in paths},
            artists,
            float(pd.concat(seconds).sum()),
        )
        write_evaluation(output.predictions[i], output.metrics[i], fusion.predictions, bootstrap)
        with replacing(output.history[i]) as temporary:
            fusion.history.to_csv(temporary, index=False)
        write_json(output.model[i], {"weights": fusion.weights})
        run["fused"] = {path: sha1(path) for path in fused}
        record = run_record(run, source, [given.tracks, given.split], given.archives)
        write_json(output.params[i], record)
