# Pretrained encoders and their embeddings.
#
#   resources/encoders/{encoder}.safetensors            musicnn, downloaded and converted once
#   results/{dataset}/embeddings/{encoder}/{shard}.parquet  float32, one row per track
#   results/{dataset}/features/{encoder}.parquet        embeddings of all tracks, a feature table
#   results/{dataset}/mixtures/{encoder}-{number}/{shard}.npy      float16 (count, bands, frames), dB
#   results/{dataset}/mixtures/{encoder}-{number}/{shard}.parquet  the tracks mixed, embeddings

FETCHED_ENCODERS = [name for name, entry in ENCODERS.items() if entry["kind"] == "musicnn"]


rule fetch_encoder:
    """Download musicnn from PyPI, verify it and convert its weights."""
    output:
        protected("resources/encoders/{encoder}.safetensors"),
    log:
        f"{RESULTS}/logs/fetch_encoder/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch_encoder/{{encoder}}.tsv"
    wildcard_constraints:
        encoder="|".join(FETCHED_ENCODERS) or "-",  # an empty constraint would match anything
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(60),
    script:
        "../scripts/fetch_encoder.py"


rule embed_shard:
    """Compute the embeddings of one shard's clips."""
    input:
        tracks=rules.index_tracks.output.tracks,
        clips=CLIP_ARCHIVES,
        weights=lambda wildcards: encoder_weights(wildcards.encoder),
    output:
        f"{RESULTS}/embeddings/{{encoder}}/{{shard}}.parquet",
    log:
        f"{RESULTS}/logs/embed_shard/{{encoder}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/embed_shard/{{encoder}}/{{shard}}.tsv"
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1300 + 5 * round(config["clips"]["clip_seconds"])),
        runtime=minutes(240),
    params:
        kind=CLIPS,
        encoder=lambda wildcards: encoder_settings(wildcards.encoder),
        clip_seconds=config["clips"]["clip_seconds"],
        source=source("embed_shard", classes=[CLIP_CLASS, *SPECTROGRAMS.values()]),
    script:
        "../scripts/embed_shard.py"


rule gather_embeddings:
    """Combine the embeddings of all tracks into one feature table."""
    input:
        tracks=rules.index_tracks.output.tracks,
        parts=expand(rules.embed_shard.output, shard=SHARDS, allow_missing=True),
    output:
        f"{RESULTS}/features/{{encoder}}.parquet",
    log:
        f"{RESULTS}/logs/gather_embeddings/{{encoder}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/gather_embeddings/{{encoder}}.tsv"
    wildcard_constraints:
        encoder="|".join(ENCODERS) or "-",
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1500),
        runtime=minutes(10),
    params:
        source=source("gather_embeddings"),
    script:
        "../scripts/gather_embeddings.py"


rule mix_shard:
    """Mix random clips for a student, and compute its teacher's embeddings."""
    input:
        tracks=rules.index_tracks.output.tracks,
        clips=CLIP_ARCHIVES,
        weights=lambda wildcards: encoder_weights(wildcards.encoder),
    output:
        mel=f"{RESULTS}/mixtures/{{encoder}}-{{number}}/{{shard}}.npy",
        table=f"{RESULTS}/mixtures/{{encoder}}-{{number}}/{{shard}}.parquet",
    log:
        f"{RESULTS}/logs/mix_shard/{{encoder}}-{{number}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/mix_shard/{{encoder}}-{{number}}/{{shard}}.tsv"
    wildcard_constraints:
        encoder="|".join(ENCODERS) or "-",
        number=r"\d+",
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1500),
        runtime=minutes(240),
    params:
        kind=CLIPS,
        encoder=lambda wildcards: encoder_settings(wildcards.encoder),
        spectrogram=config["spectrogram"],
        clip_seconds=config["clips"]["clip_seconds"],
        source=source("mix_shard", classes=[CLIP_CLASS, *SPECTROGRAMS.values()]),
    script:
        "../scripts/mix_shard.py"
