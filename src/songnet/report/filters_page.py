"""The page on the filters of the best network that was trained here."""

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from songnet.colours import genre_colours
from songnet.data.batches import Subset
from songnet.data.clips import ClipSource
from songnet.data.shards import MelShards
from songnet.data.subsets import held_out
from songnet.evaluation.filters import selective_filters
from songnet.formatting import credit, percent
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
    filters = selective_filters(
        network, shards, Subset.of(tested, genres), genres, tracks["artist_id"],
        excerpt_seconds=SECONDS,
    )  # fmt: skip
    excerpts = Excerpts(clips)

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
            "text": _genres_text(filter.genres),
            "effect": _effect_text(filter.accuracy_lost, len(tested)),
            "excerpts": [clip(*excerpt) for excerpt in filter.excerpts],
        }
        for filter in filters
    ]
    write_page(
        "filters.html",
        page,
        dataset={"title": facts["dataset_title"], "note": facts["note"]},
        network=facts,
        subset=subset,
        clips=len(tested),
        excerpt_seconds=f"{SECONDS:g}",
        has_audio=excerpts.has_audio,
        colours=genre_colours(genres),
        layers={layer: list(group) for layer, group in groupby(rows, lambda row: row["layer"])},
    )


def _genres_text(shares: dict[str, float]) -> str:
    """Genres of the clips that drive a filter most, most frequent first."""
    top = sorted(shares, key=lambda genre: -shares[genre])[:3]
    return ", ".join(f"{percent(shares[genre])} {genre}" for genre in top if shares[genre])


def _effect_text(accuracy_lost: float, clips: int) -> str:
    """What silencing a filter costs."""
    changed = round(abs(accuracy_lost) * clips)
    if not changed:
        return "changes no accuracy"
    points = f"{100 * abs(accuracy_lost):.1f} points of accuracy ({changed} of the clips)"
    return f"{'costs' if accuracy_lost > 0 else 'brings'} {points}"
