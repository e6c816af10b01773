"""Choose the tracks and share them among shards."""

from songnet.job import job

with job(snakemake) as log:
    from songnet import archives, delivered_mels, files, tracks

    metadata, clips = snakemake.input.metadata, snakemake.input.clips
    sums = files.checked_sums([metadata, *clips], snakemake.params.checksums)
    table = tracks.read_tracks(metadata)
    params = snakemake.params
    inside = tracks.wanted_tracks(table, params.subset, params.genres, params.tracks_per_genre)
    if not clips:
        available = set(inside.index)
    elif params.kind == "mels":
        available = delivered_mels.mel_ids(clips)
    else:
        available = archives.clip_ids(clips[0], params.subset)
    selection, unmatched = tracks.select_tracks(inside, table.index, available, params.shards)
    log.info("%d tracks selected, %d unmatched", len(selection), len(unmatched))
    with files.replacing(snakemake.output.selection) as temporary:
        selection.to_parquet(temporary)
    with files.replacing(snakemake.output.unmatched) as temporary:
        unmatched.to_csv(temporary, index=False)
    files.write_json(snakemake.output.archives, sums)
