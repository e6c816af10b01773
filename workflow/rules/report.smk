# What people read.
#
#   results/{dataset}/report/results.md       the table, the leak, the hardest genres, the data
#   results/{dataset}/report/*.png            figures
#   results/{dataset}/report/confusion/{protocol}/{model}.png


rule results_table:
    """Write the results table; `snakemake results_table` renders it anew from files."""
    input:
        results=rules.collect_results.output.results,
        genres=rules.collect_results.output.genres,
        confusions=rules.collect_results.output.confusions,
        tracks=rules.index_tracks.output.tracks,
        quarantine=rules.index_tracks.output.quarantine,
        archives=rules.select_tracks.output.archives,
        splits=expand(rules.split_tracks.output.summary, protocol=SPLITS),
        metrics=run_files("metrics.json"),
    output:
        report(
            f"{RESULTS}/report/results.md",
            caption="../report/results.rst",
            category="Results",
            labels={"what": "results, as text"},
        ),
    log:
        f"{RESULTS}/logs/results_table.log",
    benchmark:
        f"{RESULTS}/benchmarks/results_table.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        dataset=DATASET | {"name": config["dataset"]},
        models=MODELS,
        source=source("results_table"),
    script:
        "../scripts/results_table.py"


rule figures:
    """Draw accuracies, confusions, training curves, run time and memory."""
    input:
        results=rules.collect_results.output.results,
        confusions=rules.collect_results.output.confusions,
        histories=run_files("history.csv", family="crnn"),
    output:
        accuracy=report(
            f"{RESULTS}/report/accuracy.png",
            caption="../report/accuracy.rst",
            category="Results",
            labels={"what": "accuracy of every model"},
        ),
        runtime=report(
            f"{RESULTS}/report/runtime.png",
            caption="../report/runtime.rst",
            category="Run time",
            labels={"what": "time and memory of each rule"},
        ),
        curves=report(
            f"{RESULTS}/report/training.png",
            caption="../report/training.rst",
            category="Training",
            labels={"what": "training curves"},
        ),
        confusion=[
            report(
                f"{RESULTS}/report/confusion/{protocol}/{model}.png",
                caption="../report/confusion.rst",
                category="Confusion",
                subcategory=protocol,
                labels={"protocol": protocol, "model": entry["title"]},
            )
            for protocol in config["protocols"]
            for model, entry in MODELS.items()
        ],
    log:
        f"{RESULTS}/logs/figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures.tsv"
    conda:
        "../../envs/cpu.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        dataset=DATASET,
        models=MODELS,
        benchmarks=f"{RESULTS}/benchmarks",
        source=source("figures"),
    script:
        "../scripts/figures.py"
