"""Evaluation of trained models on the validation and test subsets."""

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
    """Write predictions.parquet and metrics.json into the folder of each model.

    Args:
        predictor: import path of the predictor class.
        models: model files, ``results/{dataset}/runs/{split}/{model}/{seed}/model.*``.
        data: paths of the models' input files.
        tracks_file: path of tracks.parquet.
        splits: path of ``splits/{split}.parquet`` of every split.
        threads: number of threads of the predictor.
        evaluation: resamples and confidence of the bootstrap.
        seconds: excerpt lengths, ascending; empty for models without spectrogram input.

    Returns:
        Predictions on the excerpts, with the columns EXCERPT_COLUMNS.
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
    """Group model files by the split they were trained on; yield its file and theirs."""

    def split_of(path: str) -> str:
        return RunName.of(Path(path).parent).split

    files = {Path(split).stem: split for split in splits}
    for name, paths in groupby(sorted(models, key=split_of), split_of):
        yield files[name], paths
