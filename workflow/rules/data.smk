# Archives and the selection of tracks.
#
#   resources/{demo,fma}/*.zip            archives in FMA's layout
#   results/folder/songs.parquet          the user's own songs, listed when the workflow starts
#   results/{dataset}/selection.parquet   tracks of the subset and genres, with their shard
#   results/{dataset}/archives.json       SHA-1 of each archive


if DATASET["source"] == "synthesis":

    rule make_demo:
        """Generate the demo data set."""
        output:
            metadata=METADATA_ZIP,
            audio=CLIP_ARCHIVES[0],
        log:
            f"{RESULTS}/logs/make_demo.log",
        benchmark:
            f"{RESULTS}/benchmarks/make_demo.tsv"
        conda:
            "../../envs/songnet.yaml"
        threads: 8
        resources:
            mem_mb=memory(1500),
            runtime=minutes(30),
        params:
            genres=DATASET["genres"],
            synthesis=DATASET["synthesis"],
            source=source("make_demo"),
        script:
            "../scripts/make_demo.py"


# An environment variable, not a param, so that a new URL does not cause a new download.
os.environ |= {"SONGNET_URLS": " ".join(config["mirrors"] + DATASET["urls"])}


if SAMPLED:

    rule download_sample:
        """Download a sample of clips per genre from the remote archives."""
        output:
            metadata=protected(METADATA_ZIP),
            clips=protected(CLIP_ARCHIVES[0]),
        log:
            f"{RESULTS}/logs/download_sample.log",
        benchmark:
            f"{RESULTS}/benchmarks/download_sample.tsv"
        localrule: True
        conda:
            "../../envs/songnet.yaml"
        resources:
            mem_mb=memory(1000),
            runtime=minutes(240),
        params:
            subset=DATASET["subset"],
            genres=lambda wildcards: config["genres"] or DATASET["genres"],
            tracks_per_genre=config["tracks_per_genre"],
        script:
            "../scripts/download_sample.py"

elif DATASET["source"] == "download" and config["archives"] is None:

    rule download:
        """Download one archive and verify its SHA-1."""
        output:
            protected("resources/fma/{archive}.zip"),
        log:
            f"{RESULTS}/logs/download/{{archive}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/download/{{archive}}.tsv"
        localrule: True
        conda:
            "../../envs/songnet.yaml"
        resources:
            mem_mb=memory(500),
            runtime=minutes(1440),
        params:
            sha1=lambda wildcards: DATASET["files"][f"{wildcards.archive}.zip"]["sha1"],
        script:
            "../scripts/download.py"


rule select_tracks:
    """Select the tracks and assign them to shards."""
    input:
        metadata=METADATA_ZIP,
        clips=CLIP_ARCHIVES,
    output:
        selection=f"{RESULTS}/selection.parquet",
        set_aside=f"{RESULTS}/set_aside.csv",
        archives=f"{RESULTS}/archives.json",
    log:
        f"{RESULTS}/logs/select_tracks.log",
    benchmark:
        f"{RESULTS}/benchmarks/select_tracks.tsv"
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(120),  # the SHA-1 needs a read of all archives, 100 GB for FMA-large
    params:
        choice=lambda wildcards: {  # a function, since genres may have braces
            "kind": CLIPS,
            "subset": DATASET["subset"],
            "genres": config["genres"] or DATASET["genres"],
            "per_genre": config["tracks_per_genre"],
        },
        shards=len(SHARDS),
        dates=plan.archive_dates(config, DATASET),
        checksums=DATASET["files"] if SEEN.is_listed and not SAMPLED else {},
        source=source("select_tracks", classes=[CLIP_CLASS, TRACK_TABLE]),
    script:
        "../scripts/select_tracks.py"
