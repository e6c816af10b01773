"""Mix random clips for a student, and compute its teacher's embeddings."""

from songnet.pipeline.job import job

with job(snakemake):
    import pandas as pd

    from songnet.pipeline.mix import mix_shard

    mix_shard(
        snakemake.output.mel,
        snakemake.output.table,
        snakemake.params.kind,
        snakemake.input.clips,
        pd.read_parquet(snakemake.input.tracks, columns=[]).index.tolist(),
        int(snakemake.wildcards.number),
        seed=int(snakemake.wildcards.shard),
        weights=snakemake.input.weights[0],
        clip_seconds=snakemake.params.clip_seconds,
        spectrogram=snakemake.params.spectrogram,
        encoder=snakemake.params.encoder,
    )
