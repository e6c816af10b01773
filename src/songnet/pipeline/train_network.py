"""Job that trains a network: its files, its checkpoint and live tracking in MLflow."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from songnet.data.batches import Subset
from songnet.data.mixtures import Mixtures
from songnet.data.shards import MelShards
from songnet.data.subsets import read_subsets
from songnet.io import own, read_json, replacing, write_json
from songnet.models.base import make_network, save
from songnet.models.configs import NetworkConfig
from songnet.pipeline.runs import run_record
from songnet.tracking.live import LiveRun
from songnet.training.config import TrainingConfig
from songnet.training.devices import device, own_gpu
from songnet.training.loop import Row, train_network

log = logging.getLogger("songnet")


def train_run(
    given: Any, output: Any, run: dict[str, Any], source: str, checkpoints: str, tracking: str,
    threads: int,
) -> None:  # fmt: skip
    """Train a network, or resume its training, and write the files of the run.

    Args:
        given: input paths ``tracks``, ``split``, ``mel``, ``archives``, ``teacher`` (a list with at
            most one table) and ``mixtures`` (tables of `songnet.pipeline.mix`).
        output: output paths ``params``, ``history`` and ``model``.
        run: protocol, model, seed and the entry of models.yaml.
        source: digest of the code.
        checkpoints: folder of checkpoints.
        tracking: path of experiment.json, which may not exist yet.
        threads: number of torch threads; a checkpoint is only valid for the same number.
    """
    torch.set_num_threads(threads)
    data = [given.tracks, given.split, *given.teacher, *given.mixtures]
    record = run_record(run, source, data, given.archives)
    checkpoint = Path(checkpoints, f"{record['key']}-{threads}.pt")
    checkpoint.parent.mkdir(exist_ok=True)
    lock = checkpoint.with_suffix(".lock")
    with own(lock):
        # Snakemake deletes outputs before it starts a job. Outputs that exist now come from a job
        # that outlived the Snakemake that started it.
        params = Path(output.params)
        if not (params.exists() and read_json(params)["key"] == record["key"]):
            live = LiveRun(tracking, record, system_metrics=device().type == "cuda")
            _train(given, output, record, checkpoint, live)
        checkpoint.unlink(missing_ok=True)
        lock.unlink(missing_ok=True)  # shared if the file system has no locks


def _train(
    given: Any, output: Any, record: dict[str, Any], checkpoint: Path, live: LiveRun
) -> None:
    """Write all outputs, params.json last."""
    tracks, subsets = pd.read_parquet(given.tracks), read_subsets(given.split)
    shards = MelShards.read(given.mel)
    genres = sorted(tracks["genre"].unique())
    targets = pd.read_parquet(given.teacher[0]) if given.teacher else None
    train, validation = (
        Subset.of(tracks.loc[subsets.index[subsets == name]], genres, targets)
        for name in ("train", "validation")
    )

    def on_epoch(history: list[Row]) -> None:
        with replacing(output.history) as temporary:
            pd.DataFrame(history).to_csv(temporary, index=False)
        live.log_epochs(history)
        log.info("%s", history[-1])

    torch.manual_seed(record["seed"])
    sizes = NetworkConfig(shards.bands, len(genres), shards.frames_per_second)
    network = make_network(record["network"], sizes, record["parameters"])
    with live, own_gpu():
        history = train_network(
            network,
            shards,
            train,
            validation,
            TrainingConfig(**record["training"]),
            seed=record["seed"],
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            mixtures=Mixtures(given.mixtures, train.track_ids) if given.mixtures else None,
            progress=f"{record['model']} {Path(given.split).stem} {record['seed']}",
        )
        on_epoch(history)  # in case the training was killed after its last epoch
    save(network, genres, record, output.model)
    write_json(output.params, record)
