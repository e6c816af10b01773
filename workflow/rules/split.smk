# Training, validation and test parts.
#
#   results/{dataset}/splits/{protocol}.parquet   track_id, split
#   results/{dataset}/splits/{protocol}.json      how fair the division is


rule split_tracks:
    """Divide the tracks by one protocol."""
    input:
        tracks=rules.index_tracks.output.tracks,
    output:
        split=f"{RESULTS}/splits/{{protocol}}.parquet",
        summary=f"{RESULTS}/splits/{{protocol}}.json",
    log:
        f"{RESULTS}/logs/split_tracks/{{protocol}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/split_tracks/{{protocol}}.tsv"
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(500),
        runtime=10,
    params:
        protocol=lambda wildcards: SPLITS[wildcards.protocol][0],
        seed=lambda wildcards: SPLITS[wildcards.protocol][1],
        shares=config["split"],
        source=source("split_tracks"),
    script:
        "../scripts/split_tracks.py"
