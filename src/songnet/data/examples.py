"""Example clips for the web page, one per genre."""

import shutil
from pathlib import Path

import pandas as pd

from songnet.data.clips import AudioSource
from songnet.data.subsets import held_out
from songnet.formatting import credit, licence, track_title
from songnet.io import replacing, write_json


def write_examples(source: AudioSource, tracks_file: str, split: str, folder: str) -> None:
    """Copy one held-out clip of each genre.

    Args:
        source: source of the clips.
        tracks_file: path of tracks.parquet.
        split: path of the split file.
        folder: output folder: the clips, and examples.json with file, genre, title, licence and
            credit of each.
    """
    _, tracks = held_out(pd.read_parquet(tracks_file), split)
    examples = []
    with source.files() as opened:
        for genre, group in tracks.groupby("genre"):
            track_id = group.index[0]
            name = f"{track_id:06d}{Path(source.file_name(track_id)).suffix}"
            with (
                replacing(Path(folder, name)) as temporary,
                opened(track_id) as clip,
                temporary.open("wb") as file,
            ):
                shutil.copyfileobj(clip, file)
            track = group.loc[track_id]
            examples.append(
                {"file": name, "genre": genre, "title": track_title(track),
                 "licence": licence(track), "credit": credit(track)}
            )  # fmt: skip
    write_json(Path(folder, "examples.json"), examples)
