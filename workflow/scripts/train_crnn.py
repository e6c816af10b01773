"""Train a network on mel-spectrograms."""

from songnet.pipeline.job import job

with job(snakemake) as log:
    from pathlib import Path

    import pandas as pd
    import torch

    from songnet.data.batches import Part
    from songnet.data.shards import MelShards
    from songnet.data.subsets import read_parts
    from songnet.io import own, read_json, replacing, write_json
    from songnet.models.base import NetworkConfig, make_network, save
    from songnet.pipeline.runs import run_record
    from songnet.tracking.live import LiveRun
    from songnet.training.devices import own_gpu
    from songnet.training.loop import TrainingConfig, train_network

    torch.set_num_threads(snakemake.threads)
    given = snakemake.input
    tracks = pd.read_parquet(given.tracks)
    parts = read_parts(given.split)
    genres = sorted(tracks["genre"].unique())
    train, validation = (
        Part.of(tracks.loc[parts.index[parts == name]], genres) for name in ("train", "validation")
    )
    run = snakemake.params.run
    data = [given.tracks, given.split]
    record = run_record(run, snakemake.params.source, data, given.archives)
    shards = MelShards.read(given.mel)
    live = LiveRun(snakemake.params.tracking, record)
    output = snakemake.output

    def on_epoch(history: list[dict[str, float]]) -> None:
        """Keep the files, MLflow and the log up to date."""
        with replacing(output.history) as temporary:
            pd.DataFrame(history).to_csv(temporary, index=False)
        live.log_epochs(history)
        log.info("%s", history[-1])

    def train_and_save(checkpoint: Path) -> None:
        """Write all outputs, params.json last."""
        torch.manual_seed(run["seed"])
        sizes = NetworkConfig(shards.bands, len(genres), shards.frames_per_second)
        network = make_network(run["network"], sizes, run["parameters"])
        with live, own_gpu():
            history = train_network(
                network,
                shards,
                train,
                validation,
                TrainingConfig(**run["training"]),
                seed=run["seed"],
                checkpoint=checkpoint,
                on_epoch=on_epoch,
                progress=f"{run['model']} {snakemake.wildcards.split} {run['seed']}",
            )
            on_epoch(history)  # of a training that was killed after its last epoch
        save(network, genres, record, output.model)
        write_json(output.params, record)

    checkpoint = Path(snakemake.params.checkpoints, f"{record['key']}-{snakemake.threads}.pt")
    checkpoint.parent.mkdir(exist_ok=True)
    lock = checkpoint.with_suffix(".lock")
    with own(lock):
        # Snakemake removes outputs before a job; what is there now comes from a training that
        # outlived the Snakemake that had started it.
        made = Path(output.params).exists() and read_json(output.params)["key"] == record["key"]
        if not made:
            train_and_save(checkpoint)
        checkpoint.unlink(missing_ok=True)
        lock.unlink(missing_ok=True)  # two may have it where the file system knows no locks
