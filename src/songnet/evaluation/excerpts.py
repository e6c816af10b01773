"""Accuracy on excerpts: how much of a clip a network needs."""

from pathlib import Path

import pandas as pd
from tqdm import tqdm

from songnet.data.subsets import held_out
from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.evaluate import by_split
from songnet.evaluation.runs import RunName, protocol_of
from songnet.io import load_class

# Import path; loaded by name, since no other module needs torch.
NETWORK_PREDICTOR = "songnet.training.predict.Predictor"


def excerpt_predictions(
    models: list[str],
    data: list[str],
    tracks_file: str,
    splits: list[str],
    seconds: list[float],
    threads: int,
) -> pd.DataFrame:
    """Predict the first seconds of each clip with trained networks.

    Args:
        models: files of weights, as in `evaluate_runs`.
        data: mel/index.parquet, then the shards.
        tracks_file: tracks.parquet.
        splits: ``splits/{split}.parquet`` of every split.
        seconds: lengths of excerpts, ascending; those too short for a step are left out.
        threads: of torch.

    Returns:
        protocol, split, model, seed, subset, seconds, track_id, correct.
    """
    tracks = pd.read_parquet(tracks_file)
    kind = load_class(NETWORK_PREDICTOR)
    tables = []
    bar = tqdm(total=len(models), unit="network", disable=None)
    for split, paths in by_split(models, splits):
        subset, known = held_out(tracks, split)
        apply = kind(data, known, threads)
        for path in paths:
            bar.update()
            name = RunName.of(Path(path).parent)
            run = name._asdict() | {"protocol": protocol_of(name.split), "subset": subset}
            for length in apply.beginnings(seconds):
                if not apply.has_step(path, length):
                    continue
                correct = apply.predict(path, length)[1] == known["genre"].to_numpy()
                found = {"seconds": length, "track_id": known.index, "correct": correct}
                tables.append(pd.DataFrame(run | found))
    columns = ["protocol", "split", "model", "seed", "subset", "seconds", "track_id", "correct"]
    return pd.concat(tables)[columns] if tables else pd.DataFrame(columns=columns)


def excerpt_table(predictions: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Accuracy by excerpt length.

    Args:
        predictions: protocol, split, model, seed, subset, seconds, track_id, correct.
        bootstrap: over artists.

    Returns:
        protocol, model, subset, seconds, accuracy over all runs, ci_low, ci_high, predictions.
    """
    columns = ["protocol", "model", "subset", "seconds"]
    rows = []
    for key, table in predictions.groupby(columns, sort=False):
        correct = table.set_index("track_id")["correct"].astype(float)
        rows.append((*key, correct.mean(), *bootstrap.interval(correct), len(table)))
    return pd.DataFrame(rows, columns=[*columns, "accuracy", "ci_low", "ci_high", "predictions"])
