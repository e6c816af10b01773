# MLflow, a view of the files: no result depends on what is made here.
#
#   results/{dataset}/mlflow/experiment.json   the server and whether it could be reached
#   results/{dataset}/mlflow/runs.json         MLflow's number of each run
#   results/{dataset}/mlflow/views.json        the address of a table of runs for each protocol
#   mlflow.db, mlartifacts/                    the store, unless MLFLOW_TRACKING_URI names a server


EXPERIMENT = config["tracking"]["experiment"] or config["dataset"]


rule init_tracking:
    """Prepare the store before any run: its first use in parallel would break it."""
    output:
        f"{RESULTS}/mlflow/experiment.json",
    log:
        f"{RESULTS}/logs/init_tracking.log",
    benchmark:
        f"{RESULTS}/benchmarks/init_tracking.tsv"
    # Before any training, which needs no file of it.
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


# One job, since loading MLflow and all that it logs takes longer than most uploads.
rule log_runs:
    """Upload what MLflow does not have yet."""
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
