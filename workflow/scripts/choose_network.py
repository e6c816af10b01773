"""Keep the network that is best on the validation part, with what is known of it."""

from songnet.job import job

with job(snakemake) as log:
    from pathlib import Path

    from songnet.files import read_json
    from songnet.networks import load, save
    from songnet.results import best_run
    from songnet.splits import judging_part

    paths = [Path(path) for path in snakemake.input.models]
    # A network that hears music as it plays goes before one that does not, if there is one.
    streaming = [path for path in paths if load(path).network.streams()]
    folder = best_run([path.parent for path in streaming or paths])
    log.info("%s", folder)
    network, genres, facts = load(folder / "model.safetensors")
    metrics = read_json(folder / "metrics.json")
    part = judging_part(metrics)
    measured = {name: metrics[part][name] for name in ("accuracy", "ci_low", "ci_high", "tracks")}
    facts |= {
        "dataset_title": snakemake.params.dataset["title"],
        "note": snakemake.params.dataset["note"],
        "measured": {"part": part} | measured,
    }
    save(network, genres, facts, snakemake.output[0])
