"""Draw accuracies, confusions and training curves."""

from songnet.pipeline.job import job

with job(snakemake):
    from pathlib import Path

    import pandas as pd

    from songnet.evaluation.runs import RunName
    from songnet.evaluation.table_files import read_table
    from songnet.report import figures

    dataset, models = snakemake.params.dataset, snakemake.params.models
    results = read_table(snakemake.input.results)
    confusions = read_table(snakemake.input.confusions)
    figures.accuracy_figure(results, models, dataset, snakemake.output.accuracy)
    histories = {
        RunName.of(Path(path).parent): pd.read_csv(path) for path in snakemake.input.histories
    }
    figures.training_figure(histories, models, snakemake.output.curves, dataset["note"])
    for path in snakemake.output.confusion:
        protocol, model = Path(path).parts[-2], Path(path).stem
        counts = confusions[(confusions["protocol"] == protocol) & (confusions["model"] == model)]
        title = f"{models[model]['title']} · {protocol} split"
        figures.confusion_figure(counts, title, path, dataset["note"])
