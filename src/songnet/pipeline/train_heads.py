"""Job that trains the heads of all runs of an encoder model."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from songnet.data.subsets import artist_halves, check_every_genre, read_subsets
from songnet.features.spectrogram import make_spectrogram
from songnet.io import replacing, write_json
from songnet.models.base import Network, save
from songnet.models.configs import EncoderConfig
from songnet.models.encoder_networks import EncoderClassifier
from songnet.models.encoders import Encoder, TableEncoder
from songnet.models.head_choice import ChosenHead, choose_head
from songnet.pipeline.embed import open_encoder
from songnet.pipeline.runs import run_record


def train_heads(
    given: Any, output: Any, runs: list[tuple[str, dict[str, Any]]], source: str, threads: int,
    encoder: dict[str, Any] | None,
) -> None:  # fmt: skip
    """Fit the candidate heads of each run, keep the best, and write the files of the runs.

    Args:
        given: input paths ``tracks``, ``features``, ``splits``, ``archives`` and ``weights``
            (empty for a table).
        output: output paths ``params``, ``histories``, ``models`` and ``validation``, each a list
            with one path per run.
        runs: name of the split and the run, in the order of the output paths.
        source: digest of the code.
        threads: number of torch threads.
        encoder: entry of encoders.yaml; None for the user's own table.
    """
    torch.set_num_threads(threads)
    tracks = pd.read_parquet(given.tracks, columns=["genre", "artist_id"])
    features = pd.read_parquet(given.features)
    opened = open_encoder(encoder, given.weights[0]) if encoder else TableEncoder(features.shape[1])
    splits = {Path(path).stem: path for path in given.splits}
    for i, (split, run) in enumerate(runs):
        subsets = read_subsets(splits[split])
        data = [given.tracks, given.features, splits[split]]
        record = run_record(run, source, data, given.archives)
        chosen, validation, history = _fit(run, features, tracks, subsets)
        record["chosen"] = {"head": chosen.kind, "strength": chosen.strength}
        genres = sorted(tracks["genre"].unique())
        save(_network(record, genres, opened, chosen), genres, record, output.models[i])
        with replacing(output.validation[i]) as temporary:
            validation.to_parquet(temporary)
        with replacing(output.histories[i]) as temporary:
            pd.DataFrame([history]).to_csv(temporary, index=False)
        write_json(output.params[i], record | {"validation_losses": chosen.losses})


def _fit(
    run: dict[str, Any], features: pd.DataFrame, tracks: pd.DataFrame, subsets: pd.Series
) -> tuple[ChosenHead, pd.DataFrame, dict[str, float]]:
    """Return the head, cross-fitted validation log-probabilities, and the row of history.csv."""
    start = time.perf_counter()
    genres = sorted(tracks["genre"].unique())
    known = features.loc[subsets.index[subsets == "train"]]
    train = known.dropna()
    check_every_genre(
        tracks["genre"].loc[train.index], tracks["genre"].loc[known.index], run["encoder"]
    )
    # A table may lack tracks; their features are imputed by the mean of the training subset.
    held = features.loc[subsets.index[subsets == "validation"]].fillna(train.mean())
    (X, labels), validation = (
        (table.to_numpy(np.float32), np.searchsorted(genres, tracks["genre"].loc[table.index]))
        for table in (train, held)
    )
    halves = artist_halves(tracks["artist_id"].loc[held.index])
    name = f"{run['model']} {run['protocol']} {run['split_seed']} seed {run['seed']}"
    chosen = choose_head(run["heads"], (X, labels), validation, halves, run["seed"], name)
    with torch.inference_mode():
        fitted = chosen.head(torch.from_numpy(X)).numpy()
    history = {"epoch": 1.0, "seconds": round(time.perf_counter() - start, 3)}
    history |= _measured("train", fitted, labels)
    history |= _measured("validation", chosen.validation, validation[1])
    logs = pd.DataFrame(chosen.validation.astype(np.float32), held.index, genres)
    return chosen, logs, history


def _measured(subset: str, logs: Any, labels: Any) -> dict[str, float]:
    """Compute loss and accuracy from log-probabilities (n, genres)."""
    return {
        f"{subset}_loss": float(-logs[np.arange(len(logs)), labels].mean()),
        f"{subset}_accuracy": float((logs.argmax(axis=1) == labels).mean()),
    }


def _network(
    run: dict[str, Any], genres: list[str], encoder: Encoder, chosen: ChosenHead
) -> Network:
    """Combine the encoder and the head into a network that can classify audio."""
    spectrogram = make_spectrogram(run["spectrogram"]) if run["spectrogram"] else None
    bands, rate = (spectrogram.bands, spectrogram.frames_per_second) if spectrogram else (1, 1.0)
    config = EncoderConfig(
        bands, len(genres), rate, encoder.describe(), encoder.size, chosen.kind, chosen.head.size
    )
    network = EncoderClassifier(config)
    network.encoder, network.head = encoder, chosen.head
    return network
