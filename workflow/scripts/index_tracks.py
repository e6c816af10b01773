"""Keep sound clips, each once; list the others with their reasons."""

from songnet.pipeline.job import job

with job(snakemake) as log:
    import pandas as pd

    from songnet.data.tracks import check_genres, index_tracks, no_clips
    from songnet.io import replacing

    selection = pd.read_parquet(snakemake.input.selection)
    text = {"sha1": str, "problem": str, "file": str}
    if snakemake.input.clips:
        clips = pd.concat([pd.read_csv(path, dtype=text) for path in snakemake.input.clips])
        clips = clips.set_index("track_id")
    else:
        clips = no_clips(selection.index)
    unmatched = pd.read_csv(snakemake.input.unmatched)
    tracks, quarantine = index_tracks(selection, clips, unmatched)
    check_genres(tracks)
    log.info("%d tracks usable, %d quarantined", len(tracks), len(quarantine))
    with replacing(snakemake.output.mel) as temporary:
        tracks[["file", "row", "frames", "seconds"]].to_parquet(temporary)
    with replacing(snakemake.output.quarantine) as temporary:
        quarantine.to_csv(temporary, index=False)
    with replacing(snakemake.output.tracks) as temporary:
        tracks.drop(columns=["file", "row", "frames"]).to_parquet(temporary)
