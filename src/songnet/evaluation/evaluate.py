"""Evaluation of trained models on validation and test tracks."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from songnet.data.subsets import read_subsets
from songnet.evaluation.bootstrap import Bootstrap
from songnet.evaluation.excerpts import EXCERPT_COLUMNS, excerpt_predictions
from songnet.evaluation.metrics import write_evaluation
from songnet.evaluation.runs import RunName
from songnet.io import load_class
from songnet.models.predictions import prediction_table


def evaluate_runs(
    predictor: str,
    models: list[str],
    data: list[str],
    tracks_file: str,
    splits: list[str],
    threads: int,
    evaluation: Mapping[str, Any],
    seconds: list[float],
) -> pd.DataFrame:
    """Write predictions.parquet and metrics.json beside trained models.

    Args:
        predictor: import path of the class that applies the models.
        models: their files, ``results/{dataset}/runs/{split}/{model}/{seed}/model.*``.
        data: paths of what the models read.
        tracks_file: tracks.parquet.
        splits: ``splits/{split}.parquet`` of every split.
        threads: of the predictor.
        evaluation: resamples and confidence of the bootstrap.
        seconds: lengths of excerpts, ascending; none for models that read no spectrograms.

    Returns:
        Predictions of the excerpts, columns as in `EXCERPT_COLUMNS`.
    """
    tracks = pd.read_parquet(tracks_file)
    bootstrap = Bootstrap(tracks["artist_id"], **evaluation)
    kind = load_class(predictor)
    excerpts = [pd.DataFrame(columns=EXCERPT_COLUMNS)]
    for split, paths in by_split(models, splits):
        subsets = read_subsets(split)
        wanted = subsets[subsets != "train"].sort_index().to_frame().join(tracks["genre"])
        apply = kind(data, tracks.loc[wanted.index], threads)
        for path in paths:
            genres, predicted, probabilities = apply.predict(path)
            table = prediction_table(wanted.reset_index(), predicted, probabilities, genres)
            folder = Path(path).parent
            files = folder / "predictions.parquet", folder / "metrics.json"
            write_evaluation(*files, table, bootstrap)
            if seconds:
                excerpts.append(excerpt_predictions(apply, path, wanted, seconds))
    return pd.concat([table for table in excerpts if len(table)] or excerpts)


def by_split(models: list[str], splits: list[str]) -> Iterator[tuple[str, Iterator[str]]]:
    """Files of models, with the file of the split that they were trained on."""

    def split_of(path: str) -> str:
        return RunName.of(Path(path).parent).split

    files = {Path(split).stem: split for split in splits}
    for name, paths in groupby(sorted(models, key=split_of), split_of):
        yield files[name], paths
