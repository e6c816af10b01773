"""Take a test clip of each genre out of the archive, to be heard."""

from songnet.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd

    from songnet.analysis_page import credit
    from songnet.archives import member_name, open_zip, read_member
    from songnet.files import replacing, write_json

    tracks = pd.read_parquet(snakemake.input.tracks)
    parts = pd.read_parquet(snakemake.input.split[0]).set_index("track_id")["split"]
    part = "test" if (parts == "test").any() else "validation"
    heard = tracks.loc[parts.index[parts == part].sort_values()]
    folder = Path(snakemake.output[0])
    examples = []
    with open_zip(snakemake.input.clips[0]) as archive:
        for genre, group in heard.groupby("genre"):
            track_id = group.index[0]
            content = read_member(archive, member_name(snakemake.params.subset, track_id))
            with replacing(folder / f"{track_id:06d}.mp3") as temporary:
                temporary.write_bytes(content.getbuffer())
            examples.append(
                {
                    "file": f"{track_id:06d}.mp3",
                    "genre": genre,
                    "credit": credit(group.loc[track_id]),
                }
            )
    write_json(folder / "examples.json", examples)
