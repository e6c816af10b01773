"""Results tables of a data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.genre_tables import confusion_table, genre_table, recall_intervals
from songnet.evaluation.table_files import write_table
from songnet.evaluation.tables import (
    difference_table,
    leak_table,
    poster_applies,
    read_runs,
    results_table,
)


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
        metrics: path of metrics.json of each run; the other files are in the same folder.
        tracks_file: path of tracks.parquet.
        output: paths ``results``, ``differences``, ``choice``, ``leaks``, ``genres`` and
            ``confusions``.
        posters: accuracy reported on the poster by model; None for models not on it.
        dataset: title, source and note of the data set.
        reference: reference model of the comparisons; None for the best on validation.
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
        write_table(table, output[name])
