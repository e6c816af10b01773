# Mel-spectrograms, in one pass over the clips, and the index of usable tracks.
#
#   results/{dataset}/mel/{shard}.npy       float16 (tracks, mels, frames), dB
#   results/{dataset}/mel/{shard}.csv       facts about each clip, or its error
#   results/{dataset}/mel/index.parquet     position of each track in the shards
#   results/{dataset}/tracks.parquet        usable tracks
#   results/{dataset}/quarantine.csv        unusable tracks, with reasons


rule mel_shard:
    """Compute the spectrograms of one shard's clips, decoded directly from the archive."""
    input:
        selection=rules.select_tracks.output.selection,
        clips=CLIP_ARCHIVES,
    output:
        npy=f"{RESULTS}/mel/{{shard}}.npy",
        clips=f"{RESULTS}/mel/{{shard}}.csv",
    log:
        f"{RESULTS}/logs/mel_shard/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/mel_shard/{{shard}}.tsv"
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(700),
        runtime=minutes(30),
    params:
        kind=CLIPS,
        spectrogram=config["spectrogram"],
        clips=config["clips"],
        source=source(
            "mel_shard", classes=[CLIP_CLASS, SPECTROGRAMS[config["spectrogram"]["kind"]]]
        ),
    script:
        "../scripts/mel_shard.py"


rule index_tracks:
    """Index the usable clips without duplicates; quarantine the others with reasons."""
    input:
        selection=rules.select_tracks.output.selection,
        set_aside=rules.select_tracks.output.set_aside,
        clips=expand(rules.mel_shard.output.clips, shard=SHARDS if CLIP_ARCHIVES else []),
        npy=expand(rules.mel_shard.output.npy, shard=SHARDS if CLIP_ARCHIVES else []),
    output:
        tracks=f"{RESULTS}/tracks.parquet",
        mel=f"{RESULTS}/mel/index.parquet",
        quarantine=report(
            f"{RESULTS}/quarantine.csv",
            caption="../report/quarantine.rst",
            category="Data",
            labels={"what": "quarantined clips"},
        ),
    log:
        f"{RESULTS}/logs/index_tracks.log",
    benchmark:
        f"{RESULTS}/benchmarks/index_tracks.tsv"
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        source=source("index_tracks"),
    script:
        "../scripts/index_tracks.py"
