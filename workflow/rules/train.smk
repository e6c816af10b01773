# Training sees no track of the test subset.
#
#   results/{dataset}/runs/{split}/{model}/{seed}/
#       params.json   everything that shapes the run
#       history.csv   one row an epoch (baselines: one row)
#       model.*       joblib (baselines) or safetensors (C-RNN, heads on encoders)
#       validation.parquet  heads: log-probabilities of validation tracks, cross-fitted


# One job for all runs of a baseline: loading scikit-learn takes longer than most fits.
for baseline in trained_by("train_baseline"):

    rule:
        """Fit a baseline, a scikit-learn estimator, with each seed under each protocol."""
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
            # In the order of the files.
            runs=[
                (split, described_run(split, baseline, seed))
                for seed in model_seeds(baseline)
                for split in SPLITS
            ],
            source=source("train_baseline", [baseline], without=REPORTING),
        script:
            "../scripts/train_baseline.py"


# One job for all runs of a model, as of baselines.
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
            # In the order of the files.
            runs=[
                (split, described_run(split, head, seed))
                for seed in model_seeds(head)
                for split in SPLITS
            ],
            encoder=ENCODERS.get(MODELS[head]["encoder"]),
            source=source("train_heads", without=REPORTING),
        script:
            "../scripts/train_heads.py"


rule train_crnn:
    """Train a network with one seed; a killed training resumes from its last epoch."""
    input:
        tracks=rules.index_tracks.output.tracks,
        mel=rules.index_tracks.output.mel,
        npy=rules.index_tracks.input.npy,
        split=rules.split_tracks.output.split,
        archives=rules.select_tracks.output.archives,
        teacher=lambda wildcards: (
            [features_file(wildcards.model)] if MODELS[wildcards.model].get("teacher") else []
        ),
    output:
        params=f"{RUN}/params.json",
        history=f"{RUN}/history.csv",
        model=f"{RUN}/model.safetensors",
    log:
        f"{RESULTS}/logs/train_crnn/{{split}}/{{model}}/{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_crnn/{{split}}/{{model}}/{{seed}}.tsv"
    wildcard_constraints:
        model="|".join(trained_by("train_crnn") or ["-"]),  # an empty one would mean any
    priority: FIRST
    conda:
        "../../envs/songnet.yaml"
    # One thread each: trainings run side by side, and a figure never depends on --cores.
    threads: 1
    resources:
        mem_mb=memory(3000),  # 1100 on a CPU; the rest is left to CUDA, unmeasured
        runtime=minutes(720),
        gpu=GPU,
    params:
        run=run_params,
        checkpoints=f"{RESULTS}/checkpoints",
        # No input: another server, one that is back, or none, is no reason to train again. `ancient` would
        # say so, but then Snakemake leaves out other jobs that must run with init_tracking.
        tracking=f"{RESULTS}/mlflow/experiment.json",
        source=source("train_crnn", ["{model}"], without=REPORTING),
    script:
        "../scripts/train_crnn.py"
