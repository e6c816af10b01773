# Training, validation and test parts.
#
#   results/{dataset}/splits/{split}.parquet   track_id, split (train, validation, test)
#   results/{dataset}/splits/{split}.json      how fair the division is


rule split_tracks:
    """Divide the tracks by one protocol."""
    input:
        tracks=rules.index_tracks.output.tracks,
    output:
        split=f"{RESULTS}/splits/{{split}}.parquet",
        summary=f"{RESULTS}/splits/{{split}}.json",
    log:
        f"{RESULTS}/logs/split_tracks/{{split}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/split_tracks/{{split}}.tsv"
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        protocol=lambda wildcards: SPLITS[wildcards.split][0],
        seed=lambda wildcards: SPLITS[wildcards.split][1],
        # Those of the official division are FMA's.
        shares=lambda wildcards: (
            config["split"] if SPLITS[wildcards.split][0] != "official" else None
        ),
        source=source("split_tracks"),
    script:
        "../scripts/split_tracks.py"
