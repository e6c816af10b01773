"""Index the usable clips without duplicates; quarantine the others with reasons."""

from songnet.pipeline.job import job

with job(snakemake) as log:
    import pandas as pd

    from songnet.data import selection
    from songnet.io import replacing

    selected = pd.read_parquet(snakemake.input.selection)
    if snakemake.input.clips:
        clips = selection.read_clips(snakemake.input.clips)
    else:
        clips = selection.no_clips(selected.index)
    set_aside = selection.read_quarantine(snakemake.input.set_aside)
    tracks, quarantine = selection.index_tracks(selected, clips, set_aside)
    selection.check_genres(tracks)
    log.info("%d tracks usable, %d quarantined", len(tracks), len(quarantine))
    with replacing(snakemake.output.mel) as temporary:
        tracks[["file", "row", "frames", "seconds"]].to_parquet(temporary)
    selection.write_quarantine(quarantine, snakemake.output.quarantine)
    with replacing(snakemake.output.tracks) as temporary:
        tracks.drop(columns=["file", "row", "frames"]).to_parquet(temporary)
