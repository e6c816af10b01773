# Training, without the tracks of the test subset.
#
#   results/{dataset}/runs/{split}/{model}/{seed}/
#       params.json   everything that determines the run
#       history.csv   one row per epoch (baselines: one row)
#       model.*       joblib (baselines) or safetensors (C-RNN, heads on encoders)
#       validation.parquet  heads: cross-fitted log-probabilities of validation tracks


# One job for all runs of a baseline, since importing scikit-learn takes longer than most fits.
for baseline in trained_by("train_baseline"):

    rule:
        """Fit a baseline with each seed on each split."""
        name:
            f"train_{baseline}"
        input:
            tracks=rules.index_tracks.output.tracks,
            features=features_file(baseline),
            splits=expand(rules.split_tracks.output.split, split=SPLITS),
            archives=rules.select_tracks.output.archives,
        output:
            params=run_files("params.json", [baseline]),
            histories=run_files("history.csv", [baseline]),
            models=run_files("model.joblib", [baseline]),
        log:
            f"{RESULTS}/logs/train_{baseline}.log",
        benchmark:
            f"{RESULTS}/benchmarks/train_{baseline}.tsv"
        priority: FIRST
        conda:
            "../../envs/songnet.yaml"
        resources:
            mem_mb=memory(2000),
            runtime=minutes(720),
        params:
            # In the order of the output files.
            runs=[
                (split, described_run(split, baseline, seed))
                for seed in model_seeds(baseline)
                for split in SPLITS
            ],
            source=source("train_baseline", [baseline], without=REPORTING),
        script:
            "../scripts/train_baseline.py"


# One job for all runs of a model, as for baselines.
for head in trained_by("train_heads"):

    rule:
        """Fit heads on frozen embeddings and keep the best on validation, for each run."""
        name:
            f"train_{head}"
        input:
            tracks=rules.index_tracks.output.tracks,
            features=features_file(head),
            weights=encoder_weights(MODELS[head]["encoder"]),
            splits=expand(rules.split_tracks.output.split, split=SPLITS),
            archives=rules.select_tracks.output.archives,
        output:
            params=run_files("params.json", [head]),
            histories=run_files("history.csv", [head]),
            models=run_files("model.safetensors", [head]),
            validation=run_files("validation.parquet", [head]),
        log:
            f"{RESULTS}/logs/train_{head}.log",
        benchmark:
            f"{RESULTS}/benchmarks/train_{head}.tsv"
        priority: FIRST
        conda:
            "../../envs/songnet.yaml"
        resources:
            mem_mb=memory(3000),
            runtime=minutes(720),
        params:
            # In the order of the output files.
            runs=[
                (split, described_run(split, head, seed))
                for seed in model_seeds(head)
                for split in SPLITS
            ],
            encoder=(
                encoder_settings(MODELS[head]["encoder"])
                if MODELS[head]["encoder"] in ENCODERS
                else None
            ),
            source=source("train_heads", without=REPORTING),
        script:
            "../scripts/train_heads.py"


rule train_crnn:
    """Train a network with one seed; a killed training resumes after its last epoch."""
    input:
        tracks=rules.index_tracks.output.tracks,
        mel=rules.index_tracks.output.mel,
        npy=rules.index_tracks.input.npy,
        split=rules.split_tracks.output.split,
        archives=rules.select_tracks.output.archives,
        teacher=lambda wildcards: (
            [features_file(wildcards.model)] if MODELS[wildcards.model].get("teacher") else []
        ),
        mixtures=lambda wildcards: mixtures_of(wildcards.model, "parquet"),
        mixed=lambda wildcards: mixtures_of(wildcards.model, "npy"),
    output:
        params=f"{RUN}/params.json",
        history=f"{RUN}/history.csv",
        model=f"{RUN}/model.safetensors",
    log:
        f"{RESULTS}/logs/train_crnn/{{split}}/{{model}}/{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_crnn/{{split}}/{{model}}/{{seed}}.tsv"
    wildcard_constraints:
        model="|".join(trained_by("train_crnn") or ["-"]),  # an empty one would match anything
    priority: FIRST
    conda:
        "../../envs/songnet.yaml"
    # Always one thread, so that results do not depend on --cores. Trainings run in parallel.
    threads: 1
    resources:
        mem_mb=memory(3000),  # 1100 on a CPU, the rest for CUDA
        runtime=minutes(720),
        gpu=GPU,
    params:
        run=run_params,
        checkpoints=f"{RESULTS}/checkpoints",
        # A param instead of an input, so that a new tracking server does not cause retraining.
        # `ancient` would also do this, but then Snakemake skips jobs that need init_tracking.
        tracking=f"{RESULTS}/mlflow/experiment.json",
        source=source("train_crnn", ["{model}"], without=REPORTING),
    script:
        "../scripts/train_crnn.py"
