# Features of tracks: those of the baselines, named as in FMA, and the user's own tables.
#
#   results/{dataset}/features/fma.parquet   float32, one row per track, columns
#                                            (feature, statistics, number): 518, or
#                                            140 MFCC statistics of precomputed mels
#   results/{dataset}/features/{table}.parquet  a user's table (config key tables)
#   results/{dataset}/features/{table}.json     its origin and missing tracks


rule fma_features_shard:
    """Compute the 518 features of one shard's clips."""
    input:
        tracks=rules.index_tracks.output.tracks,
        clips=CLIP_ARCHIVES,
    output:
        f"{RESULTS}/features/{{shard}}.parquet",
    log:
        f"{RESULTS}/logs/fma_features_shard/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fma_features_shard/{{shard}}.tsv"
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(700),
        runtime=minutes(60),
    params:
        kind=CLIPS,
        clip_seconds=config["clips"]["clip_seconds"],
        source=source("fma_features_shard", classes=[CLIP_CLASS]),
    script:
        "../scripts/fma_features_shard.py"


FEATURE_PARTS = {
    "computed": expand(rules.fma_features_shard.output, shard=SHARDS),
    "published": [METADATA_ZIP],
    "mels": expand(rules.mel_shard.output.npy, shard=SHARDS),
}


rule fma_features:
    """Combine the features: computed, published in features.csv, or from precomputed mels."""
    input:
        tracks=rules.index_tracks.output.tracks,
        mel=rules.index_tracks.output.mel,
        parts=FEATURE_PARTS[FEATURES_SOURCE],
    output:
        f"{RESULTS}/features/fma.parquet",
    log:
        f"{RESULTS}/logs/fma_features.log",
    benchmark:
        f"{RESULTS}/benchmarks/fma_features.tsv"
    conda:
        "../../envs/songnet.yaml"
    # Reading features.csv is dominated by decompression, which runs in parallel.
    threads: 8 if FEATURES_SOURCE == "published" else 1
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        kind=FEATURES_SOURCE,
        source=source("fma_features"),
    script:
        "../scripts/fma_features.py"


rule feature_table:
    """Match a user's feature table with the tracks."""
    input:
        tracks=rules.index_tracks.output.tracks,
        table=lambda wildcards: config["tables"][wildcards.table]["path"],
    output:
        features=f"{RESULTS}/features/{{table}}.parquet",
        facts=f"{RESULTS}/features/{{table}}.json",
    log:
        f"{RESULTS}/logs/feature_table/{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/feature_table/{{table}}.tsv"
    wildcard_constraints:
        table="|".join(config["tables"]) or "-",  # an empty constraint would match anything
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1500),
        runtime=minutes(30),
    params:
        dates=lambda wildcards: plan.file_dates([config["tables"][wildcards.table]["path"]]),
        source=source("feature_table"),
    script:
        "../scripts/feature_table.py"
