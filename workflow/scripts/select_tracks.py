"""Choose the tracks and share them among shards."""

from songnet.pipeline.job import job

with job(snakemake) as log:
    from songnet import io
    from songnet.data import tracks
    from songnet.data.sources import clip_source

    metadata, clips = snakemake.input.metadata, snakemake.input.clips
    sums = io.checked_sums([metadata, *clips], snakemake.params.checksums)
    table = tracks.read_tracks(metadata)
    params = snakemake.params
    inside = tracks.wanted_tracks(table, params.subset, params.genres, params.tracks_per_genre)
    available = clip_source(params.kind, clips).track_ids() if clips else set(inside.index)
    selection, unmatched = tracks.select_tracks(inside, table.index, available, params.shards)
    log.info("%d tracks selected, %d unmatched", len(selection), len(unmatched))
    with io.replacing(snakemake.output.selection) as temporary:
        selection.to_parquet(temporary)
    with io.replacing(snakemake.output.unmatched) as temporary:
        unmatched.to_csv(temporary, index=False)
    io.write_json(snakemake.output.archives, sums)
