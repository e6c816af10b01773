# The only place where the test part is touched, and the tables of all runs.
#
#   results/{dataset}/runs/{protocol}/{model}/{seed}/predictions.parquet
#       track_id, split (validation, test), genre, predicted, a probability for each genre
#   results/{dataset}/runs/{protocol}/{model}/{seed}/metrics.json
#   results/{dataset}/report/results.csv      one row for each protocol and model
#   results/{dataset}/report/genres.csv       precision, recall and F1 of each genre
#   results/{dataset}/report/confusions.csv   counts of true and predicted genres


EVALUATION_DATA = {
    "baseline": rules.fma_features.output,
    "crnn": [rules.index_tracks.output.mel, *rules.index_tracks.input.npy],
}
TRAINED = {
    "baseline": rules.train_baseline.output.model,
    "crnn": rules.train_crnn.output.model,
}

# One job for all runs of a family under a protocol: loading the libraries takes far longer than
# predicting.
for family in sorted({entry["family"] for entry in MODELS.values()}):

    rule:
        name:
            f"evaluate_{family}"
        input:
            models=family_files(family, TRAINED[family]),
            data=EVALUATION_DATA[family],
            tracks=rules.index_tracks.output.tracks,
            split=rules.split_tracks.output.split,
        output:
            predictions=family_files(family, f"{RUN}/predictions.parquet"),
            metrics=family_files(family, f"{RUN}/metrics.json"),
        log:
            f"{RESULTS}/logs/evaluate_{family}/{{protocol}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/evaluate_{family}/{{protocol}}.tsv"
        conda:
            "../../envs/cpu.yaml"
        resources:
            mem_mb=2000,
            runtime=60,
        params:
            family=family,
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
