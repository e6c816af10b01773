"""The network that pages, server and commands use."""

import logging
from pathlib import Path
from typing import Any

from songnet.data.subsets import judging_subset
from songnet.evaluation.choice import best_run
from songnet.io import read_json
from songnet.models.base import load, save

log = logging.getLogger("songnet")


def keep_best(models: list[str], output: str, titles: dict[str, str], dataset: Any) -> Path:
    """Keep the network that is best on validation, of those that need only music, as it plays.

    Args:
        models: files of weights, ``results/{dataset}/runs/{split}/{model}/{seed}/*``.
        output: file of weights, with what the network is and how well it did among its facts.
        titles: of the models.
        dataset: its title, note and source.

    Returns:
        Folder of the run that it comes from.
    """
    folders = [Path(path).parent for path in models]
    folder = best_run([folder for folder in folders if _is_servable(folder)] or folders)
    log.info("%s", folder)
    network, genres, facts = load(folder / "model.safetensors")
    metrics = read_json(folder / "metrics.json")
    subset = judging_subset(metrics)
    measured = {name: metrics[subset][name] for name in ("accuracy", "ci_low", "ci_high", "tracks")}
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
    return network.is_causal() and not network.reads_metadata  # a stream has none
