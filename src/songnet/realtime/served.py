"""Selection of the network that pages, server and commands use."""

import logging
from pathlib import Path
from typing import Any

from songnet.data.subsets import judging_subset
from songnet.evaluation.choice import best_run
from songnet.io import read_json
from songnet.models.base import load, save

log = logging.getLogger("songnet")


def keep_best(models: list[str], output: str, titles: dict[str, str], dataset: Any) -> Path:
    """Save the network with the best validation accuracy among those that stream audio alone.

    If no network does, the choice is among all.

    Args:
        models: weights files, ``results/{dataset}/runs/{split}/{model}/{seed}/*``.
        output: weights file to write, with titles and accuracy added to its facts.
        titles: title of each model.
        dataset: title, note and source of the data set.

    Returns:
        Folder of the selected run.
    """
    folders = [Path(path).parent for path in models]
    folder = best_run([folder for folder in folders if _is_servable(folder)] or folders)
    log.info("%s", folder)
    network, genres, facts = load(folder / "model.safetensors")
    metrics = read_json(folder / "metrics.json")
    subset = judging_subset(metrics)
    names = ("accuracy", "ci_low", "ci_high", "confidence", "tracks")
    measured = {name: metrics[subset][name] for name in names}
    facts |= {
        "title": titles[facts["model"]],
        "dataset_title": dataset["title"],
        "note": dataset["note"],
        "synthetic": dataset["source"] == "synthesis",
        "measured": {"subset": subset} | measured,
    }
    save(network, genres, facts, output)
    return folder


def _is_servable(folder: Path) -> bool:
    network = load(folder / "model.safetensors").network
    return network.is_causal() and not network.reads_metadata  # streams have no metadata
