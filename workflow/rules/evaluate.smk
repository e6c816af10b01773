# Where the test subset is predicted and measured, and the tables of all runs. The pages of report.smk
# show it and its clips; no model, and no choice of one, depends on it.
#
#   results/{dataset}/runs/{split}/{model}/{seed}/predictions.parquet
#       track_id, split (validation, test), genre, predicted, a probability for each genre
#   results/{dataset}/runs/{split}/{model}/{seed}/metrics.json
#   results/{dataset}/best.safetensors        the served network: see choose_network
#   results/{dataset}/analysed.safetensors    the best network trained here, which pages show
#   results/{dataset}/excerpts/{model}.parquet  predictions of networks on the first seconds
#   results/{dataset}/report/results.csv      one row for each protocol and model
#   results/{dataset}/report/differences.csv  one model against every other
#   results/{dataset}/report/choice.csv       the same on validation: how sure the choice is
#   results/{dataset}/report/genres.csv       precision, recall and F1 of each genre
#   results/{dataset}/report/confusions.csv   counts of true and predicted genres


MEL_SHARDS = [rules.index_tracks.output.mel, *rules.index_tracks.input.npy]
EXCERPTS = f"{RESULTS}/excerpts/{{model}}.parquet"


# One job for all runs of a model: loading the libraries takes longer than predicting, and models that
# are done do not wait for others, nor are predicted again because of them.
for model in predicted_models():

    rule:
        """Predict the validation and test tracks of a model's runs and measure them."""
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
        """Fuse models by their predictions; only the validation subset decides on the weights."""
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


# What is served is the best of all that stream; the pages look into the best network trained here.
CANDIDATES = {"best": STREAMING, "analysed": NETWORKS}


rule choose_network:
    """Keep the network that is best on validation, of those that need only music, as it plays."""
    input:
        models=lambda wildcards: run_files(
            "model.safetensors", CANDIDATES[wildcards.choice], FAIREST_SPLITS
        ),
        metrics=lambda wildcards: run_files(
            "metrics.json", CANDIDATES[wildcards.choice], FAIREST_SPLITS
        ),
    output:
        f"{RESULTS}/{{choice}}.safetensors",
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
    """Gather all runs into tables."""
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
