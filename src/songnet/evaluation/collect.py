"""All tables of a data set's runs."""

from pathlib import Path
from typing import Any

import pandas as pd

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
    resamples: int,
    confidence: float,
) -> None:
    """Read all runs and write the tables.

    Args:
        metrics: metrics.json of each run; its other files lie beside it.
        tracks_file: tracks.parquet.
        output: paths results, differences, leaks, genres and confusions.
        posters: the poster's accuracy of each model that it has.
        dataset: its title, source and note.
        reference: model that the others are compared with; None for the best.
        resamples: of the bootstrap.
        confidence: of the intervals.
    """
    runs = read_runs([Path(path).parent for path in metrics])
    tracks = pd.read_parquet(tracks_file, columns=["artist_id", "genre"])
    known = posters if poster_applies(dataset, tracks["genre"]) else {}
    given = (runs, tracks["artist_id"], resamples, confidence)
    confusions = confusion_table(runs)
    tables = {
        "results": results_table(*given, known),
        "differences": difference_table(*given, reference),
        "leaks": leak_table(*given),
        "genres": genre_table(confusions).merge(recall_intervals(*given), how="left"),
        "confusions": confusions,
    }
    for name, table in tables.items():
        write_table(table, output[name])
