# Training, validation and test subsets.
#
#   results/{dataset}/splits/{split}.parquet   track_id, split (train, validation, test)
#   results/{dataset}/splits/{split}.json      summary of the split
#   results/{dataset}/splits/protocols.json    protocols that can split the tracks


rule check_protocols:
    """Fail early if a protocol cannot split the tracks."""
    input:
        selection=rules.select_tracks.output.selection,
    output:
        f"{RESULTS}/splits/protocols.json",
    log:
        f"{RESULTS}/logs/check_protocols.log",
    benchmark:
        f"{RESULTS}/benchmarks/check_protocols.tsv"
    # Runs before any clip is decoded. No job reads its output, so that a change of the protocols
    # reruns nothing else.
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
    """Split the tracks under one protocol."""
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
        # The fractions of the official split are given by FMA.
        shares=lambda wildcards: (
            config["split"] if SPLITS[wildcards.split][0] != "official" else None
        ),
        source=source("split_tracks"),
    script:
        "../scripts/split_tracks.py"
