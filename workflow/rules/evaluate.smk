# Evaluation on the validation and test subsets, and the results tables. Neither training nor the
# selection of models depends on the test subset.
#
#   results/{dataset}/runs/{split}/{model}/{seed}/predictions.parquet
#       track_id, split (validation, test), genre, predicted, probability of each genre
#   results/{dataset}/runs/{split}/{model}/{seed}/metrics.json
#   results/{dataset}/best.safetensors        network for commands and pages, see choose_network
#   results/{dataset}/best.md                 its model card
#   results/{dataset}/analysed.safetensors    best network trained from scratch, shown on pages
#   results/{dataset}/excerpts/{model}.parquet  predictions on the first seconds of each clip
#   results/{dataset}/report/results.csv      one row per protocol and model
#   results/{dataset}/report/differences.csv  paired differences from the reference model
#   results/{dataset}/report/choice.csv       the same on validation, for the choice of the model
#   results/{dataset}/report/genres.csv       precision, recall and F1 of each genre
#   results/{dataset}/report/confusions.csv   confusion counts


MEL_SHARDS = [rules.index_tracks.output.mel, *rules.index_tracks.input.npy]
EXCERPTS = f"{RESULTS}/excerpts/{{model}}.parquet"


# One job per model, since importing the libraries takes longer than predicting. A finished model
# does not wait for the others and is not evaluated again with them.
for model in predicted_models():

    rule:
        """Evaluate all runs of a model on the validation and test subsets."""
        name:
            f"evaluate_{model}"
        input:
            models=run_files(family(model).file, [model]),
            validation=(
                run_files("validation.parquet", [model])
                if MODELS[model]["family"] == "encoder"
                else []
            ),
            data=model_data(model),
            tracks=rules.index_tracks.output.tracks,
            splits=expand(rules.split_tracks.output.split, split=SPLITS),
        output:
            predictions=run_files("predictions.parquet", [model]),
            metrics=run_files("metrics.json", [model]),
            excerpts=expand(EXCERPTS, model=[model] if reads_spectrograms(model) else []),
        log:
            f"{RESULTS}/logs/evaluate/{model}.log",
        benchmark:
            f"{RESULTS}/benchmarks/evaluate/{model}.tsv"
        priority: FIRST
        conda:
            "../../envs/songnet.yaml"
        resources:
            mem_mb=memory(1500),
            runtime=minutes(120),
        params:
            predictor=family(model).predictor,
            evaluation=config["evaluation"],
            seconds=config["excerpt_seconds"] if reads_spectrograms(model) else [],
            source=source("evaluate", [model], predictors=True),
        script:
            "../scripts/evaluate.py"


if trained_by("fuse"):

    rule fuse:
        """Fuse the predictions of models, with weights fitted on the validation subset."""
        input:
            tracks=rules.index_tracks.output.tracks,
            split=rules.split_tracks.output.split,
            archives=rules.select_tracks.output.archives,
            predictions=fused_predictions,
            histories=lambda wildcards: [
                str(Path(path).with_name("history.csv")) for path in fused_predictions(wildcards)
            ],
        output:
            params=model_files(trained_by("fuse"), f"{RUN}/params.json"),
            history=model_files(trained_by("fuse"), f"{RUN}/history.csv"),
            model=model_files(trained_by("fuse"), f"{RUN}/model.json"),
            predictions=model_files(trained_by("fuse"), f"{RUN}/predictions.parquet"),
            metrics=model_files(trained_by("fuse"), f"{RUN}/metrics.json"),
        log:
            f"{RESULTS}/logs/fuse/{{split}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/fuse/{{split}}.tsv"
        priority: FIRST
        conda:
            "../../envs/songnet.yaml"
        resources:
            mem_mb=memory(1000),
            runtime=minutes(10),
        params:
            runs=fusion_runs,
            evaluation=config["evaluation"],
            source=source("fuse"),
        script:
            "../scripts/fuse.py"


# `best` is chosen from all streaming models, `analysed` from the networks trained from scratch.
CANDIDATES = {"best": STREAMING, "analysed": NETWORKS}


rule choose_network:
    """Select the network with the best validation accuracy that streams audio alone."""
    input:
        models=lambda wildcards: run_files(
            "model.safetensors", CANDIDATES[wildcards.choice], FAIREST_SPLITS
        ),
        metrics=lambda wildcards: run_files(
            "metrics.json", CANDIDATES[wildcards.choice], FAIREST_SPLITS
        ),
    output:
        weights=f"{RESULTS}/{{choice}}.safetensors",
        card=f"{RESULTS}/{{choice}}.md",
    log:
        f"{RESULTS}/logs/choose_network/{{choice}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/choose_network/{{choice}}.tsv"
    wildcard_constraints:
        choice="|".join(CANDIDATES),
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        dataset=DATASET_WORDS,
        titles=lambda wildcards: {
            model: MODELS[model]["title"] for model in CANDIDATES[wildcards.choice]
        },
        source=source("choose_network", STREAMING),
    script:
        "../scripts/choose_network.py"


rule collect_results:
    """Combine all runs into results tables."""
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
        differences=report(
            f"{RESULTS}/report/differences.csv",
            caption="../report/differences.rst",
            category="Results",
            labels={"what": "one model against the others"},
        ),
        choice=f"{RESULTS}/report/choice.csv",
        leaks=f"{RESULTS}/report/leaks.csv",
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
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        evaluation=config["evaluation"],
        reference=config["reference"],
        posters={model: entry.get("poster") for model, entry in MODELS.items()},
        dataset=DATASET_WORDS,
        source=source("collect_results"),
    script:
        "../scripts/collect_results.py"
