"""Train a network on mel-spectrograms."""

from songnet.job import job

with job(snakemake) as log:
    from pathlib import Path

    import numpy as np
    import pandas as pd
    import torch

    from songnet import crnn
    from songnet.files import replacing, write_json
    from songnet.runs import run_record
    from songnet.shards import MelShards
    from songnet.tracking import LiveRun
    from songnet.training import Part, TrainingConfig, train_crnn

    run = snakemake.params.run
    torch.set_num_threads(snakemake.threads)
    record = run_record(run, snakemake.params.source, snakemake.input)
    tracks = pd.read_parquet(snakemake.input.tracks, columns=["genre"])
    parts = pd.read_parquet(snakemake.input.split).set_index("track_id")["split"]
    genres = sorted(tracks["genre"].unique())
    labels = pd.Series(np.searchsorted(genres, tracks["genre"]), index=tracks.index)

    def part(name: str) -> Part:
        """Tracks of one part."""
        track_ids = parts.index[parts == name].to_numpy()
        return Part(track_ids, labels[track_ids].to_numpy())

    shards = MelShards(Path(snakemake.input.npy[0]).parent, pd.read_parquet(snakemake.input.mel))
    live = LiveRun(snakemake.input.tracking, record, enabled=snakemake.params.live)

    def on_epoch(history: list[dict[str, float]]) -> None:
        """Keep the files, MLflow and the log up to date."""
        with replacing(snakemake.output.history) as temporary:
            pd.DataFrame(history).to_csv(temporary, index=False)
        live.log_epoch(history[-1])
        log.info("%s", history[-1])

    checkpoint = Path(snakemake.params.checkpoints, f"{record['key']}-{snakemake.threads}.pt")
    model, history = train_crnn(
        shards,
        part("train"),
        part("validation"),
        crnn.CRNNConfig(shards.n_mels, len(genres), **run["parameters"]),
        TrainingConfig(**run["training"]),
        seed=run["seed"],
        checkpoint=checkpoint,
        on_epoch=on_epoch,
        progress=f"{run['model']} {snakemake.wildcards.protocol} {run['seed']}",
    )
    on_epoch(history)
    crnn.save(model, genres, record, snakemake.output.model)
    write_json(snakemake.output.params, record)
    checkpoint.unlink(missing_ok=True)
