"""Mel-spectrograms of one shard."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.data import precomputed_mels, shard_writer
    from songnet.features.mel import MelConfig

    selection = pd.read_parquet(snakemake.input.selection)
    selected = selection[selection["shard"] == int(snakemake.wildcards.shard)]
    npy, clips_csv = snakemake.output.npy, snakemake.output.clips
    if snakemake.params.kind == "mels":
        precomputed_mels.make_mels_shard(
            npy,
            clips_csv,
            snakemake.input.clips,
            selected,
            snakemake.params.clips["min_seconds"],
        )
    else:
        shard_writer.make_audio_shard(
            npy,
            clips_csv,
            snakemake.input.clips[0],
            selected,
            snakemake.params.subset,
            MelConfig(**snakemake.params.mel),
            **snakemake.params.clips,
        )
