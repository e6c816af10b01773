"""The page on the filters of the served network."""

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from songnet import __version__
from songnet.colours import genre_colours
from songnet.data.batches import Subset
from songnet.data.clips import ClipSource
from songnet.data.shards import MelShards
from songnet.data.subsets import held_out
from songnet.evaluation.filters import effect_text, filter_text, telling_filters
from songnet.formatting import credit
from songnet.models.base import load
from songnet.report.pages import Excerpts, spectrogram_image, write_page

SECONDS = 3.0  # of each excerpt


def write_filters(files: Mapping[str, Any], clips: ClipSource, page: str | Path) -> None:
    """Write filters.html.

    Args:
        files: network, tracks, split and mel (index).
        clips: of the data set.
        page: output.
    """
    network, genres, facts = load(files["network"][0])
    tracks = pd.read_parquet(files["tracks"])
    shards = MelShards.read(files["mel"])
    subset, tested = held_out(tracks, files["split"][0])
    filters = telling_filters(
        network, shards, Subset.of(tested, genres), genres, tracks["artist_id"],
        excerpt_seconds=SECONDS,
    )  # fmt: skip
    excerpts = Excerpts(clips, tracks["seconds"].max())

    def clip(track_id: int, start: float) -> dict[str, str]:
        first, length = (round(s * shards.frames_per_second) for s in (start, SECONDS))
        return {
            "genre": tested.loc[track_id, "genre"],
            "text": f"from {start:.1f} s",
            "credit": credit(tested.loc[track_id]),
            "image": spectrogram_image(shards.mel(track_id, first, first + length)),
            "audio": excerpts.audio(track_id, start, SECONDS),
        }

    rows = [
        filter._asdict()
        | {
            "text": filter_text(filter.genres),
            "effect": effect_text(filter.accuracy_lost, len(tested)),
            "excerpts": [clip(*excerpt) for excerpt in filter.excerpts],
        }
        for filter in filters
    ]
    write_page(
        "filters.html",
        page,
        version=__version__,
        dataset={"title": facts["dataset_title"], "note": facts["note"]},
        network=facts,
        subset=subset,
        clips=len(tested),
        excerpt_seconds=f"{SECONDS:g}",
        has_audio=excerpts.has_audio,
        colours=genre_colours(genres),
        layers={layer: list(group) for layer, group in groupby(rows, lambda row: row["layer"])},
    )
