"""The report: what a run has made in, all that its page shows out."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from songnet import colours
from songnet.evaluation.runs import RunName, protocol_of
from songnet.report import sentences
from songnet.report import values as tables

Values = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """What a run has made, as its files hold it."""

    results: pd.DataFrame  # results.csv
    differences: pd.DataFrame  # differences.csv
    leaks: pd.DataFrame  # leaks.csv
    genres: pd.DataFrame  # genres.csv
    confusions: pd.DataFrame  # confusions.csv
    heard: pd.DataFrame | None  # heard.csv; None without networks
    tracks: pd.DataFrame  # tracks.parquet
    quarantine: pd.DataFrame  # quarantine.csv
    splits: dict[str, pd.Series]  # part of each track, index track_id, by division
    summaries: dict[str, Values]  # what is said of each division
    records: list[Values]  # params.json of each run
    histories: dict[RunName, pd.DataFrame]  # history.csv of each run of a network
    runtime: pd.DataFrame  # from `songnet.evaluation.tables.runtime_table`
    archives: dict[str, str]  # archives.json


def page_values(
    made: Made, dataset: Values, models: dict[str, Values], config: Values, neighbours: list[str]
) -> Values:
    """All that tables.html names but for versions of code.

    Args:
        made: by the run.
        dataset: title, source and note of the data set.
        models: entries of models.yaml.
        config: from `songnet.pipeline.configuration.check`.
        neighbours: names of the pages that it links to.
    """
    results, differences, confusions = made.results, made.differences, made.confusions
    parts = tables.shown_parts(confusions)
    splits = {
        name: of_tracks
        for protocol in parts
        for name, of_tracks in made.splits.items()
        if protocol_of(name) == protocol
    }
    found = tables.headline(
        results,
        differences,
        made.leaks,
        confusions,
        models,
        made.tracks,
        splits,
        config["reference"],
    )
    rows = [
        row | {"training": sentences.duration(row["train_seconds"])}
        for row in tables.result_rows(results, differences, made.leaks, models, found["protocol"])
    ]
    comparable = bool(results["poster_accuracy"].notna().any())
    model = models[found["model"]]["title"]
    return {
        "dataset": dataset,
        "heading": sentences.title(found, model),
        "certainty": sentences.certainty(
            found,
            model,
            models[found["baseline"]]["title"] if found["baseline"] else None,
            config["evaluation"]["confidence"],
            tables.poster_claim(results, models, found["protocol"]),
        ),
        "comparable": comparable,
        "poster": sentences.POSTER,
        "reference": config["reference"],
        "found": found,
        "rows": rows,
        "protocols": {name: sentences.PROTOCOLS[name] for name in parts},
        "parts": parts,
        "divisions": {
            name: made.summaries[name] | {"text": sentences.division_text(made.summaries[name])}
            for name in splits
        },
        "usable": len(made.tracks),
        "artists": made.tracks["artist_id"].nunique(),
        "shortened": _shortened(made.tracks["lost_seconds"]),
        "quarantine": made.quarantine.to_dict("records"),
        "job_time": sentences.duration(made.runtime["seconds"].sum()),
        "provenance": tables.provenance(made.records),
        "archives": made.archives,
        "config": yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        "neighbours": neighbours,
        "data": {  # what the charts are drawn from
            "genres": sorted(made.genres["genre"].unique()),
            "titles": {row["model"]: row["title"] for row in rows},
            "results": rows,
            "comparable": comparable,
            "parts": parts,
            "chosen": found["model"],
            "baselines": {name: tables.best_baseline(results, models, name) for name in parts},
            "values": tables.genre_values(confusions, made.genres, parts),
            "curves": tables.curves(made.histories),
            "heard": [] if made.heard is None else tables.heard_lines(made.heard),
            "runtime": made.runtime.reset_index().to_dict("records"),
            "colours": {
                "protocols": colours.PROTOCOLS,
                "models": colours.PALETTE,
                "texts": [colours.text_on_heat(percent / 100) for percent in range(101)],
            },
        },
    }


def _shortened(lost_seconds: pd.Series) -> str:
    """Say of how many tracks a part could not be decoded; empty if of none."""
    lost = lost_seconds[lost_seconds > 0]
    if lost.empty:
        return ""
    return (
        f"Of {len(lost)} of them, {lost.sum():.1f} s in all could not be decoded "
        f"(at most {lost.max():.1f} s of one; tracks.parquet, lost_seconds)."
    )
