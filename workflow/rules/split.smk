# Training, validation and test subsets.
#
#   results/{dataset}/splits/{split}.parquet   track_id, split (train, validation, test)
#   results/{dataset}/splits/{split}.json      how fair the split is
#   results/{dataset}/splits/protocols.json    protocols that can divide the tracks


rule check_protocols:
    """Fail early where a protocol cannot divide these tracks."""
    input:
        selection=rules.select_tracks.output.selection,
    output:
        f"{RESULTS}/splits/protocols.json",
    log:
        f"{RESULTS}/logs/check_protocols.log",
    benchmark:
        f"{RESULTS}/benchmarks/check_protocols.tsv"
    # Before any clip is decoded; no job reads its file, so that another list of protocols reruns nothing else.
    priority: 1000
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        protocols=config["protocols"],
        source=source("check_protocols"),
    script:
        "../scripts/check_protocols.py"


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
        # Those of the official split are FMA's.
        shares=lambda wildcards: (
            config["split"] if SPLITS[wildcards.split][0] != "official" else None
        ),
        source=source("split_tracks"),
    script:
        "../scripts/split_tracks.py"
