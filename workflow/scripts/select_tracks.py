"""Select the tracks and assign them to shards."""

from songnet.pipeline.job import job

with job(snakemake) as log:
    from songnet import io
    from songnet.data import selection

    metadata, clips, params = snakemake.input.metadata, snakemake.input.clips, snakemake.params
    sums = io.checked_sums([metadata, *clips], params.checksums)
    chosen = selection.choose_tracks(table_file=metadata, clips=clips, **params.choice)
    log.info("%d tracks selected, %d quarantined", len(chosen.tracks), len(chosen.quarantine))
    with io.replacing(snakemake.output.selection) as temporary:
        selection.shared(chosen.tracks, params.shards).to_parquet(temporary)
    selection.write_quarantine(chosen.quarantine, snakemake.output.set_aside)
    io.write_json(snakemake.output.archives, sums)
