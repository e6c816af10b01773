"""All tables of a data set's runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.genre_tables import confusion_table, genre_table, recall_intervals
from songnet.evaluation.tables import (
    difference_table,
    leak_table,
    poster_applies,
    read_runs,
    results_table,
)
from songnet.io import replacing


def write_tables(
    metrics: list[str],
    tracks_file: str,
    output: Any,
    posters: dict[str, float | None],
    dataset: dict[str, Any],
    reference: str | None,
    evaluation: Mapping[str, Any],
) -> None:
    """Read all runs and write the tables.

    Args:
        metrics: metrics.json of each run; its other files lie beside it.
        tracks_file: tracks.parquet.
        output: paths results, differences, choice, leaks, genres and confusions.
        posters: the poster's accuracy of each model that it has.
        dataset: its title, source and note.
        reference: model that the others are compared with; None for the best.
        evaluation: resamples and confidence of the bootstrap.
    """
    runs = read_runs([Path(path).parent for path in metrics])
    tracks = pd.read_parquet(tracks_file, columns=["artist_id", "genre"])
    known = posters if poster_applies(dataset, tracks["genre"]) else {}
    bootstrap = Bootstrap(tracks["artist_id"], **evaluation)
    confusions = confusion_table(runs)
    tables = {
        "results": results_table(runs, bootstrap, known),
        "differences": difference_table(runs, bootstrap, reference),
        "choice": difference_table(runs, bootstrap, subset="validation"),
        "leaks": leak_table(runs, bootstrap),
        "genres": genre_table(confusions).merge(recall_intervals(runs, bootstrap), how="left"),
        "confusions": confusions,
    }
    for name, table in tables.items():
        with replacing(output[name]) as temporary:
            table.to_csv(temporary, index=False)
