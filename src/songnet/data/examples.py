"""A clip of each genre to listen to."""

from pathlib import Path

import pandas as pd

from songnet.data.clips import AudioSource
from songnet.data.subsets import held_out
from songnet.formatting import credit, licence, track_title
from songnet.io import replacing, write_json


def write_examples(source: AudioSource, tracks_file: str, split: str, folder: str) -> None:
    """Copy one clip of each genre that no network was trained on.

    Args:
        source: of the clips.
        tracks_file: tracks.parquet.
        split: file of the split.
        folder: output: the clips, and examples.json with file, genre, title, licence and credit
            of each.
    """
    _, tracks = held_out(pd.read_parquet(tracks_file), split)
    examples = []
    with source.files() as read:
        for genre, group in tracks.groupby("genre"):
            track_id = group.index[0]
            name = f"{track_id:06d}.mp3"
            with replacing(Path(folder, name)) as temporary:
                temporary.write_bytes(read(track_id).getbuffer())
            track = group.loc[track_id]
            examples.append(
                {"file": name, "genre": genre, "title": track_title(track),
                 "licence": licence(track), "credit": credit(track)}
            )  # fmt: skip
    write_json(Path(folder, "examples.json"), examples)
