"""Compute the spectrograms of one shard's clips."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.data.shard_writer import write_shard
    from songnet.data.sources import clip_source
    from songnet.features.spectrogram import make_spectrogram

    selection = pd.read_parquet(snakemake.input.selection)
    selected = selection[selection["shard"] == int(snakemake.wildcards.shard)]
    write_shard(
        snakemake.output.npy,
        snakemake.output.clips,
        clip_source(snakemake.params.kind, snakemake.input.clips),
        selected.index.to_list(),
        make_spectrogram(snakemake.params.spectrogram),
        **snakemake.params.clips,
    )
