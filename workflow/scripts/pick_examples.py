"""Take a test clip of each genre out of the archive, to be heard."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd

    from songnet.data.sources import clip_source
    from songnet.data.subsets import held_out
    from songnet.formatting import credit
    from songnet.io import replacing, write_json

    tracks = pd.read_parquet(snakemake.input.tracks)
    _, heard = held_out(tracks, snakemake.input.split[0])
    folder = Path(snakemake.output[0])
    examples = []
    with clip_source(snakemake.params.kind, snakemake.input.clips).files() as read:
        for genre, group in heard.groupby("genre"):
            track_id = group.index[0]
            with replacing(folder / f"{track_id:06d}.mp3") as temporary:
                temporary.write_bytes(read(track_id).getbuffer())
            examples.append(
                {
                    "file": f"{track_id:06d}.mp3",
                    "genre": genre,
                    "credit": credit(group.loc[track_id]),
                }
            )
    write_json(folder / "examples.json", examples)
