# Tagging of a music library by many jobs: `snakemake library --config library=DIR`.
#
#   results/library/library.parquet   one row per file, as written by `songnet tag`
#   results/library/found.jsonl       all audio files, listed again in each run
#   results/library/left.jsonl        files that still have to be classified
#   results/library/shards/{part}     marks a finished shard

LIBRARY = "results/library"
LIBRARY_TABLE = f"{LIBRARY}/library.parquet"
LIBRARY_PLAN = f"{LIBRARY}/plan.json"
LIBRARY_SHARDS = [f"{i:04d}" for i in range(config["tagging"]["jobs"])]


rule library_scan:
    """List the files of the library, and those missing in its table."""
    input:
        named_library,
    output:
        found=f"{LIBRARY}/found.jsonl",
        left=f"{LIBRARY}/left.jsonl",
        plan=LIBRARY_PLAN,
    log:
        f"{LIBRARY}/logs/library_scan.log",
    benchmark:
        f"{LIBRARY}/benchmarks/library_scan.tsv"
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1200),
        runtime=minutes(120),
    params:
        paths=config["library"],
        table=LIBRARY_TABLE,
        model=plan.tagging_model(config),
        excerpt=config["tagging"]["excerpt"],
        time=scan_time(LIBRARY_PLAN),
    script:
        "../scripts/library_scan.py"


rule library_shard:
    """Classify one shard of the files."""
    input:
        left=rules.library_scan.output.left,
        plan=rules.library_scan.output.plan,
    output:
        touch(f"{LIBRARY}/shards/{{part}}"),
    log:
        f"{LIBRARY}/logs/library_shard/{{part}}.log",
    benchmark:
        f"{LIBRARY}/benchmarks/library_shard/{{part}}.tsv"
    wildcard_constraints:
        part=r"\d{4}",
    conda:
        "../../envs/songnet.yaml"
    threads: 1
    resources:
        mem_mb=memory(1200),
        runtime=minutes(600),
    params:
        table=LIBRARY_TABLE,
        shards=len(LIBRARY_SHARDS),
        model=plan.tagging_model(config),
        excerpt=config["tagging"]["excerpt"],
    script:
        "../scripts/library_shard.py"


rule library:
    """Write the table of the library."""
    input:
        found=rules.library_scan.output.found,
        plan=rules.library_scan.output.plan,
        shards=expand(rules.library_shard.output, part=LIBRARY_SHARDS),
    output:
        update(LIBRARY_TABLE),
    log:
        f"{LIBRARY}/logs/library.log",
    benchmark:
        f"{LIBRARY}/benchmarks/library.tsv"
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1200),
        runtime=minutes(120),
    params:
        paths=config["library"],
    script:
        "../scripts/library.py"
