# The only place where the test part is touched, and the tables of all runs.
#
#   results/{dataset}/runs/{protocol}/{model}/{seed}/predictions.parquet
#       track_id, split (validation, test), genre, predicted, a probability for each genre
#   results/{dataset}/runs/{protocol}/{model}/{seed}/metrics.json
#   results/{dataset}/report/results.csv      one row for each protocol and model
#   results/{dataset}/report/genres.csv       precision, recall and F1 of each genre
#   results/{dataset}/report/confusions.csv   counts of true and predicted genres


def run_model(wildcards):
    family = MODELS[wildcards.model]["family"]
    return (rules.train_baseline if family == "baseline" else rules.train_crnn).output.model


rule evaluate:
    """Predict the validation and test parts and measure."""
    input:
        model=run_model,
        tracks=rules.index_tracks.output.tracks,
        split=rules.split_tracks.output.split,
        data=lambda wildcards: (
            rules.fma_features.output
            if MODELS[wildcards.model]["family"] == "baseline"
            else [rules.index_tracks.output.mel, *rules.index_tracks.input.npy]
        ),
    output:
        predictions=f"{RUN}/predictions.parquet",
        metrics=f"{RUN}/metrics.json",
    log:
        f"{RESULTS}/logs/evaluate/{{protocol}}/{{model}}/{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{protocol}}/{{model}}/{{seed}}.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        family=lambda wildcards: MODELS[wildcards.model]["family"],
        evaluation=config["evaluation"],
        source=source("evaluate"),
    script:
        "../scripts/evaluate.py"


rule collect_results:
    """Gather all runs into three tables."""
    input:
        tracks=rules.index_tracks.output.tracks,
        metrics=run_files("metrics.json"),
        predictions=run_files("predictions.parquet"),
        params=run_files("params.json"),
        histories=run_files("history.csv"),
    output:
        results=report(
            f"{RESULTS}/report/results.csv",
            caption="../report/results.rst",
            category="Results",
            labels={"what": "results table"},
        ),
        genres=report(
            f"{RESULTS}/report/genres.csv",
            caption="../report/genres.rst",
            category="Results",
            labels={"what": "scores of each genre"},
        ),
        confusions=f"{RESULTS}/report/confusions.csv",
    log:
        f"{RESULTS}/logs/collect_results.log",
    benchmark:
        f"{RESULTS}/benchmarks/collect_results.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        evaluation=config["evaluation"],
        source=source("collect_results"),
    script:
        "../scripts/collect_results.py"
