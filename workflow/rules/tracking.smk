# MLflow tracking, derived from the result files; no result depends on it.
#
#   results/{dataset}/mlflow/experiment.json   tracking URI and experiment
#   results/{dataset}/mlflow/runs.json         MLflow's id of each run
#   results/{dataset}/mlflow/views.json        URL of the table of runs for each protocol
#   mlflow.db, mlartifacts/                    store, unless MLFLOW_TRACKING_URI names a server


EXPERIMENT = config["tracking"]["experiment"] or config["dataset"]


rule init_tracking:
    """Prepare the store before any run, because it breaks if its first use is parallel."""
    output:
        f"{RESULTS}/mlflow/experiment.json",
    log:
        f"{RESULTS}/logs/init_tracking.log",
    benchmark:
        f"{RESULTS}/benchmarks/init_tracking.tsv"
    # Runs before any training, although no training has it as an input.
    priority: 100
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        uri=TRACKING_URI,
        experiment=EXPERIMENT,
        live=config["tracking"]["live"],
        source=source("init_tracking"),
    script:
        "../scripts/init_tracking.py"


# One job for all runs, since importing MLflow and the libraries takes longer than most uploads.
rule log_runs:
    """Upload runs that MLflow does not have yet."""
    input:
        tracking=rules.init_tracking.output,
        runs=run_files("metrics.json"),
        params=run_files("params.json"),
    output:
        runs=f"{RESULTS}/mlflow/runs.json",
        views=f"{RESULTS}/mlflow/views.json",
    log:
        f"{RESULTS}/logs/log_runs.log",
    benchmark:
        f"{RESULTS}/benchmarks/log_runs.tsv"
    priority: FIRST
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1500),
        runtime=minutes(60),
    params:
        uri=TRACKING_URI,
        experiment=EXPERIMENT,
        note=DATASET["note"],
        protocols=config["protocols"],
        store_is_gone=store_is_gone,
        source=source("log_runs"),
    script:
        "../scripts/log_runs.py"
