# What people read.
#
#   results/{dataset}/report/index.html       the report: all of it on one page
#   results/{dataset}/report/results.md       the table, the leak, the hardest genres, the data
#   results/{dataset}/report/*.png            figures
#   results/{dataset}/report/analysis.html    where the served network errs
#   results/{dataset}/report/filters.html     what its convolutions hear
#   results/{dataset}/examples/               a test clip of each genre, for `songnet serve`
#   results/{dataset}/report/heard.csv        accuracy of all networks against seconds heard
#   results/{dataset}/report/confusion/{protocol}/{model}.png

# What is made of networks alone; the report comes after it.
NETWORK_PAGES = []


rule results_table:
    """Write the results table; `snakemake --cores 1 -f results_table` renders it anew."""
    input:
        results=rules.collect_results.output.results,
        differences=rules.collect_results.output.differences,
        leaks=rules.collect_results.output.leaks,
        genres=rules.collect_results.output.genres,
        confusions=rules.collect_results.output.confusions,
        tracks=rules.index_tracks.output.tracks,
        quarantine=rules.index_tracks.output.quarantine,
        archives=rules.select_tracks.output.archives,
        summaries=expand(rules.split_tracks.output.summary, split=SPLITS),
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
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        dataset=DATASET_WORDS,
        models=MODELS,
        confidence=config["evaluation"]["confidence"],
        source=source("results_table"),
    script:
        "../scripts/results_table.py"


rule figures:
    """Draw accuracies, confusions and training curves."""
    input:
        results=rules.collect_results.output.results,
        confusions=rules.collect_results.output.confusions,
        histories=run_files("history.csv", family_models("crnn")),
    output:
        accuracy=report(
            f"{RESULTS}/report/accuracy.png",
            caption="../report/accuracy.rst",
            category="Results",
            labels={"what": "accuracy of every model"},
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
    localrule: True
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        dataset=DATASET_WORDS,
        models=MODELS,
        source=source("figures"),
    script:
        "../scripts/figures.py"


if family_models("crnn"):

    rule heard_figure:
        """Draw how soon one can tell."""
        input:
            verdicts=expand(rules.accuracy_heard.output, split=SPLITS),
            tracks=rules.index_tracks.output.tracks,
        output:
            table=f"{RESULTS}/report/heard.csv",
            figure=report(
                f"{RESULTS}/report/heard.png",
                caption="../report/heard.rst",
                category="Results",
                labels={"what": "accuracy against seconds heard"},
            ),
        log:
            f"{RESULTS}/logs/heard_figure.log",
        benchmark:
            f"{RESULTS}/benchmarks/heard_figure.tsv"
        localrule: True
        conda:
            "../../envs/songnet.yaml"
        resources:
            mem_mb=memory(500),
            runtime=minutes(10),
        params:
            dataset=DATASET_WORDS,
            models=MODELS,
            evaluation=config["evaluation"],
            source=source("heard_figure"),
        script:
            "../scripts/heard_figure.py"

    rule analyse_errors:
        """Write the page on errors, confidence and artists of the served network."""
        input:
            network=rules.choose_network.output,
            predictions=run_files("predictions.parquet", family_models("crnn"), FAIREST_SPLITS),
            tracks=rules.index_tracks.output.tracks,
            split=expand(rules.split_tracks.output.split, split=FAIREST_SPLITS[0]),
            mel=rules.index_tracks.output.mel,
            npy=rules.index_tracks.input.npy,
            clips=CLIP_ARCHIVES,
        output:
            page=report(
                f"{RESULTS}/report/analysis.html",
                caption="../report/analysis.rst",
                category="Results",
                labels={"what": "where the served network errs"},
            ),
            reliability=f"{RESULTS}/report/reliability.png",
        log:
            f"{RESULTS}/logs/analyse_errors.log",
        benchmark:
            f"{RESULTS}/benchmarks/analyse_errors.tsv"
        conda:
            "../../envs/songnet.yaml"
        resources:
            mem_mb=memory(1500),
            runtime=minutes(60),
        params:
            kind=CLIPS,
            evaluation=config["evaluation"],
            source=source("analyse_errors", family_models("crnn"), clips=True),
        script:
            "../scripts/analyse_errors.py"

    rule show_filters:
        """Write the page on what the convolutions of the served network hear."""
        input:
            network=rules.choose_network.output,
            tracks=rules.index_tracks.output.tracks,
            split=expand(rules.split_tracks.output.split, split=FAIREST_SPLITS[0]),
            mel=rules.index_tracks.output.mel,
            npy=rules.index_tracks.input.npy,
            clips=CLIP_ARCHIVES,
        output:
            report(
                f"{RESULTS}/report/filters.html",
                caption="../report/filters.rst",
                category="Results",
                labels={"what": "what the convolutions hear"},
            ),
        log:
            f"{RESULTS}/logs/show_filters.log",
        benchmark:
            f"{RESULTS}/benchmarks/show_filters.tsv"
        conda:
            "../../envs/songnet.yaml"
        resources:
            mem_mb=memory(1500),
            runtime=minutes(120),
        params:
            kind=CLIPS,
            source=source("show_filters", family_models("crnn"), clips=True),
        script:
            "../scripts/show_filters.py"

    NETWORK_PAGES += [
        rules.heard_figure.output.figure,
        rules.analyse_errors.output.page,
        rules.show_filters.output[0],
    ]
    if HAS_AUDIO:

        rule pick_examples:
            """Take a test clip of each genre out of the archive, to be heard."""
            input:
                tracks=rules.index_tracks.output.tracks,
                split=expand(rules.split_tracks.output.split, split=FAIREST_SPLITS[0]),
                clips=CLIP_ARCHIVES,
            output:
                directory(f"{RESULTS}/examples"),
            log:
                f"{RESULTS}/logs/pick_examples.log",
            benchmark:
                f"{RESULTS}/benchmarks/pick_examples.tsv"
            localrule: True
            conda:
                "../../envs/songnet.yaml"
            resources:
                mem_mb=memory(500),
                runtime=minutes(10),
            params:
                kind=CLIPS,
                source=source("pick_examples", clips=True),
            script:
                "../scripts/pick_examples.py"

        NETWORK_PAGES += rules.pick_examples.output


rule report_page:
    """Write the report, one page that opens offline; it comes last."""
    input:
        results=rules.collect_results.output.results,
        differences=rules.collect_results.output.differences,
        leaks=rules.collect_results.output.leaks,
        genres=rules.collect_results.output.genres,
        confusions=rules.collect_results.output.confusions,
        tracks=rules.index_tracks.output.tracks,
        quarantine=rules.index_tracks.output.quarantine,
        archives=rules.select_tracks.output.archives,
        splits=expand(rules.split_tracks.output.split, split=SPLITS),
        summaries=expand(rules.split_tracks.output.summary, split=SPLITS),
        params=run_files("params.json"),
        histories=run_files("history.csv", family_models("crnn")),
        heard=[rules.heard_figure.output.table] if family_models("crnn") else [],
        # Pages that it links to; their jobs are then among those whose time it shows.
        pages=[rules.results_table.output, rules.figures.output, NETWORK_PAGES],
    output:
        report(
            f"{RESULTS}/report/index.html",
            caption="../report/report.rst",
            category="Results",
            labels={"what": "the report"},
        ),
    log:
        f"{RESULTS}/logs/report_page.log",
    benchmark:
        f"{RESULTS}/benchmarks/report_page.tsv"
    conda:
        "../../envs/songnet.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        dataset=DATASET_WORDS,
        models=MODELS,
        config=config,
        neighbours=[Path(page).name for page in NETWORK_PAGES if page.endswith(".html")],
        benchmarks=f"{RESULTS}/benchmarks",
        source=source("report_page"),
    script:
        "../scripts/report_page.py"
