# Report, figures and pages.
#
#   results/{dataset}/report/index.html       the report on one page
#   results/{dataset}/report/results.md       its tables, as Markdown
#   results/{dataset}/report/accuracy.svg, excerpts.svg, confusion/{protocol}/{model}.svg,
#       training/{model}.svg                  its figures
#   results/{dataset}/report/excerpts.csv     accuracy of networks by excerpt length
#   results/{dataset}/report/analysis.html    errors of the best network trained from scratch
#   results/{dataset}/report/filters.html     its filters
#   results/{dataset}/examples/               one test clip per genre, for `songnet serve`

# User's feature tables that models of this run use.
TABLES_READ = sorted(
    set(config["tables"]) & {plan.features_read(entry) for entry in MODELS.values()}
)
TUNED = plan.tuned_seeds(config, DATASET)
# The best network and the pages about networks, which the report depends on.
NETWORK_PAGES = expand(rules.choose_network.output, choice="best") if STREAMING else []


rule results_table:
    """Write the results tables as Markdown."""
    input:
        results=rules.collect_results.output.results,
        differences=rules.collect_results.output.differences,
        choice=rules.collect_results.output.choice,
        leaks=rules.collect_results.output.leaks,
        genres=rules.collect_results.output.genres,
        confusions=rules.collect_results.output.confusions,
        tracks=rules.index_tracks.output.tracks,
        quarantine=rules.index_tracks.output.quarantine,
        archives=rules.select_tracks.output.archives,
        splits=expand(rules.split_tracks.output.split, split=SPLITS),
        summaries=expand(rules.split_tracks.output.summary, split=SPLITS),
        feature_tables=expand(rules.feature_table.output.facts, table=TABLES_READ),
    output:
        report(
            f"{RESULTS}/report/results.md",
            caption="../report/results.rst",
            category="Results",
            labels={"what": "tables, as Markdown"},
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
        tuned=TUNED,
        source=source("results_table"),
    script:
        "../scripts/results_table.py"


if NETWORKS:

    rule excerpt_table:
        """Measure accuracy by excerpt length."""
        input:
            predictions=expand(EXCERPTS, model=NETWORKS),
            tracks=rules.index_tracks.output.tracks,
        output:
            f"{RESULTS}/report/excerpts.csv",
        log:
            f"{RESULTS}/logs/excerpt_table.log",
        benchmark:
            f"{RESULTS}/benchmarks/excerpt_table.tsv"
        localrule: True
        conda:
            "../../envs/songnet.yaml"
        resources:
            mem_mb=memory(500),
            runtime=minutes(10),
        params:
            evaluation=config["evaluation"],
            source=source("excerpt_table"),
        script:
            "../scripts/excerpt_table.py"


rule figures:
    """Draw the figures of the report."""
    input:
        results=rules.collect_results.output.results,
        confusions=rules.collect_results.output.confusions,
        histories=run_files("history.csv", NETWORKS),
        excerpts=rules.excerpt_table.output if NETWORKS else [],
    output:
        accuracy=report(
            f"{RESULTS}/report/accuracy.svg",
            caption="../report/accuracy.rst",
            category="Results",
            labels={"what": "accuracy of every model"},
        ),
        confusion=[
            report(
                f"{RESULTS}/report/confusion/{protocol}/{model}.svg",
                caption="../report/confusion.rst",
                category="Confusion",
                subcategory=protocol,
                labels={"protocol": protocol, "model": entry["title"]},
            )
            for protocol in config["protocols"]
            for model, entry in MODELS.items()
        ],
        training=[
            report(
                f"{RESULTS}/report/training/{model}.svg",
                caption="../report/training.rst",
                category="Training",
                labels={"what": MODELS[model]["title"]},
            )
            for model in NETWORKS
        ],
        excerpts=[
            report(
                f"{RESULTS}/report/excerpts.svg",
                caption="../report/excerpts.rst",
                category="Results",
                labels={"what": "accuracy by excerpt length"},
            )
            for _ in NETWORKS[:1]
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


if NETWORKS:

    rule analyse_errors:
        """Write the page on errors, confidence and artists of the best network trained here."""
        input:
            network=expand(rules.choose_network.output.weights, choice="analysed"),
            served=expand(rules.choose_network.output.weights, choice="best"),
            predictions=run_files("predictions.parquet", NETWORKS, FAIREST_SPLITS),
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
                labels={"what": "errors of the best network"},
            ),
            reliability=f"{RESULTS}/report/reliability.svg",
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
            source=source("analyse_errors", NETWORKS, classes=[CLIP_CLASS]),
        script:
            "../scripts/analyse_errors.py"

    rule show_filters:
        """Write the page on the filters of the best network trained here."""
        input:
            network=expand(rules.choose_network.output.weights, choice="analysed"),
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
                labels={"what": "filters of the best network"},
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
            source=source("show_filters", NETWORKS, classes=[CLIP_CLASS]),
        script:
            "../scripts/show_filters.py"

    NETWORK_PAGES += [
        rules.analyse_errors.output.page,
        rules.show_filters.output[0],
    ]
    if HAS_AUDIO:

        rule pick_examples:
            """Extract one test clip per genre from the archive."""
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
                source=source("pick_examples", classes=[CLIP_CLASS]),
            script:
                "../scripts/pick_examples.py"

        NETWORK_PAGES += rules.pick_examples.output


rule report_page:
    """Write the report as one page that opens offline."""
    input:
        results=rules.collect_results.output.results,
        differences=rules.collect_results.output.differences,
        choice=rules.collect_results.output.choice,
        leaks=rules.collect_results.output.leaks,
        genres=rules.collect_results.output.genres,
        confusions=rules.collect_results.output.confusions,
        tracks=rules.index_tracks.output.tracks,
        quarantine=rules.index_tracks.output.quarantine,
        archives=rules.select_tracks.output.archives,
        splits=expand(rules.split_tracks.output.split, split=SPLITS),
        summaries=expand(rules.split_tracks.output.summary, split=SPLITS),
        feature_tables=expand(rules.feature_table.output.facts, table=TABLES_READ),
        params=run_files("params.json"),
        figures=rules.figures.output,
        # Linked pages are inputs, so that the report can show the run time of their jobs.
        pages=[rules.results_table.output, NETWORK_PAGES],
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
        confidence=config["evaluation"]["confidence"],
        tuned=TUNED,
        config=config,
        neighbours=[Path(page).name for page in NETWORK_PAGES if page.endswith(".html")],
        benchmarks=f"{RESULTS}/benchmarks",
        source=source("report_page"),
    script:
        "../scripts/report_page.py"
