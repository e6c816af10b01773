"""Keep the served network: the best on validation of those that need only music, as it plays."""

from songnet.pipeline.job import job

with job(snakemake) as log:
    from pathlib import Path

    from songnet.data.subsets import judging_part
    from songnet.evaluation.tables import best_run
    from songnet.io import read_json
    from songnet.models.base import load, save

    def hears(path):
        """Whether the network needs nothing but music, as it plays: no stream has metadata."""
        network = load(path).network
        return network.is_causal() and not network.reads_metadata

    paths = [Path(path) for path in snakemake.input.models]
    fit = [path for path in paths if hears(path)]
    folder = best_run([path.parent for path in fit or paths])
    log.info("%s", folder)
    network, genres, facts = load(folder / "model.safetensors")
    metrics = read_json(folder / "metrics.json")
    part = judging_part(metrics)
    measured = {name: metrics[part][name] for name in ("accuracy", "ci_low", "ci_high", "tracks")}
    facts |= {
        "title": snakemake.params.titles[facts["model"]],
        "dataset_title": snakemake.params.dataset["title"],
        "note": snakemake.params.dataset["note"],
        "measured": {"part": part} | measured,
    }
    save(network, genres, facts, snakemake.output[0])
