"""Write the page on what the convolutions of the served network hear."""

from songnet.pipeline.job import job

with job(snakemake):
    from itertools import groupby

    import pandas as pd
    import torch

    from songnet import __version__
    from songnet.colours import genre_colours
    from songnet.data.batches import Part
    from songnet.data.shards import MelShards
    from songnet.data.sources import clip_source
    from songnet.data.subsets import held_out
    from songnet.evaluation.filters import effect_text, filter_text, telling_filters
    from songnet.formatting import credit
    from songnet.models.base import load
    from songnet.report.pages import Excerpts, spectrogram_image, write_page

    SECONDS = 3.0
    torch.set_num_threads(snakemake.threads)
    network, genres, facts = load(snakemake.input.network[0])
    tracks = pd.read_parquet(snakemake.input.tracks)
    shards = MelShards.read(snakemake.input.mel)
    name, heard = held_out(tracks, snakemake.input.split[0])
    part = Part.of(heard, genres)
    excerpts = Excerpts(clip_source(snakemake.params.kind, snakemake.input.clips))

    def item(excerpt):
        """One clip of the page."""
        first = round(excerpt.start * shards.frames_per_second)
        last = first + round(SECONDS * shards.frames_per_second)
        track = heard.loc[excerpt.track_id]
        return {
            "genre": track["genre"],
            "text": f"from {excerpt.start:.1f} s",
            "credit": credit(track),
            "image": spectrogram_image(shards.mel(excerpt.track_id, first, last)),
            "audio": excerpts.audio(excerpt.track_id, excerpt.start, SECONDS),
        }

    found = telling_filters(
        network, shards, part, genres, tracks["artist_id"], excerpt_seconds=SECONDS
    )
    filters = [
        filter._asdict()
        | {
            "text": filter_text(filter.genres),
            "effect": effect_text(filter.accuracy_lost, len(heard)),
            "played": [item(excerpt) for excerpt in filter.excerpts],
        }
        for filter in found
    ]
    write_page(
        "filters.html",
        snakemake.output[0],
        version=__version__,
        dataset={"title": facts["dataset_title"], "note": facts["note"]},
        facts=facts,
        part=name,
        clips=len(heard),
        excerpt_seconds=f"{SECONDS:g}",
        has_audio=excerpts.has_audio,
        colours=genre_colours(genres),
        layers={layer: list(rows) for layer, rows in groupby(filters, lambda row: row["layer"])},
    )
