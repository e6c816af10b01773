"""Write the page on errors, confidence and artists of the served network."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd
    import torch

    from songnet import __version__
    from songnet.data.shards import MelShards
    from songnet.data.sources import clip_source
    from songnet.data.subsets import held_out, read_parts
    from songnet.evaluation import error_analysis
    from songnet.evaluation.runs import RunName
    from songnet.features.metadata import metadata_fields
    from songnet.formatting import credit, percent
    from songnet.models.base import load
    from songnet.report import analysis_page, figures
    from songnet.report.pages import Excerpts, spectrogram_image, write_page
    from songnet.training.predict import embed_clips

    SECONDS = 10.0  # that are heard, and seen, of each clip

    torch.set_num_threads(snakemake.threads)
    network, genres, facts = load(snakemake.input.network[0])
    tracks = pd.read_parquet(snakemake.input.tracks)
    shards = MelShards.read(snakemake.input.mel)
    parts = read_parts(snakemake.input.split[0])
    known = tracks.loc[parts.index[parts == "train"]]
    part, heard = held_out(tracks, snakemake.input.split[0])
    runs = [
        pd.read_parquet(path)
        for path in snakemake.input.predictions
        if RunName.of(Path(path).parent).model == facts["model"]
    ]
    predictions = pd.concat(runs).query("split == @part")
    embeddings = [
        embed_clips(network, shards, rows.index.to_numpy(), metadata_fields(rows))
        for rows in (known, heard)
    ]
    neighbours = error_analysis.nearest_artists(known, embeddings[0], heard, embeddings[1])
    evaluation = snakemake.params.evaluation
    reliability = error_analysis.reliability(
        predictions, genres, tracks["artist_id"], evaluation["resamples"], evaluation["confidence"]
    )
    figures.reliability_figure(reliability, snakemake.output.reliability)
    excerpts = Excerpts(clip_source(snakemake.params.kind, snakemake.input.clips))
    frames = round(SECONDS * shards.frames_per_second)
    wrong = [
        {
            "genre": row["genre"],
            "text": f"called {row['predicted']}, {percent(row['probability'], 0)}",
            "credit": credit(row),
            "image": spectrogram_image(shards.mel(row["track_id"], 0, frames)),
            "audio": excerpts.audio(row["track_id"], 0, SECONDS),
        }
        for row in error_analysis.surely_wrong(predictions, tracks, genres)
    ]
    write_page(
        "analysis.html",
        snakemake.output.page,
        version=__version__,
        dataset={"title": facts["dataset_title"], "note": facts["note"]},
        facts=facts,
        part=part,
        runs=len(runs),
        # One of delivered spectrograms does not know how to make its own.
        served=network.is_causal() and facts.get("mel") is not None,
        reliability=snakemake.output.reliability,
        level=evaluation["confidence"],
        surely_wrong=wrong,
        **analysis_page.page_values(predictions, genres, tracks, reliability, neighbours),
    )
