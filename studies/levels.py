"""Effect of the music's level on trained networks: shifted, dropping, after a burst of noise.

    python -m studies.levels results/local_mels causal_crnn crnn

Reads the networks of all splits of the protocol `artist` and their test subsets; prints a table.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from songnet.data.batches import whole_clips
from songnet.data.shards import MelShards
from songnet.data.subsets import held_out
from songnet.models.base import Network, load

SHIFTS = (0, -6, -12, -20, -30)  # dB
BATCH = 32  # clips


def shifted(mel: Tensor, frames_per_second: float, shift: float) -> Tensor:
    """Shift the level by some decibels."""
    return mel + shift


def falls(mel: Tensor, frames_per_second: float) -> Tensor:
    """Reduce the level by 20 dB after the first ten seconds."""
    softer = mel.clone()
    softer[..., round(10 * frames_per_second) :] -= 20
    return softer


def after_a_burst(mel: Tensor, frames_per_second: float) -> Tensor:
    """Replace the first frame by noise 25 dB above the maximum."""
    burst = mel.clone()
    burst[..., 0] = mel.amax(dim=(1, 2))[:, None] + 25
    return burst


CHANGES: dict[str, Callable[[Tensor, float], Tensor]] = {
    **{f"{shift} dB": partial(shifted, shift=shift) for shift in SHIFTS},
    "−20 dB after 10 s": falls,
    "burst of noise first": after_a_burst,
}


@torch.inference_mode()
def predictions(network: Network, shards: MelShards, ids: NDArray[np.int64]) -> pd.DataFrame:
    """Predict the genre index of each clip under each change, (clips, changes)."""
    found = np.empty((len(ids), len(CHANGES)), np.int64)
    for places, mel in whole_clips(shards, ids, BATCH):
        for column, change in enumerate(CHANGES.values()):
            logits = network(change(mel, shards.frames_per_second)).clip_logits[:, -1]
            found[places, column] = logits.argmax(dim=1).numpy()
    return pd.DataFrame(found, columns=pd.Index(CHANGES), index=ids)


def main() -> None:
    """Print accuracy and the fraction of unchanged predictions for each model and change."""
    parser = argparse.ArgumentParser(prog="levels", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("results", type=Path, help="results/DATASET of a finished run")
    parser.add_argument("models", nargs="+")
    options = parser.parse_args()
    shards = MelShards.read(str(options.results / "mel/index.parquet"))
    tracks = pd.read_parquet(options.results / "tracks.parquet")
    print("| % |", " | ".join(CHANGES), "|")
    print("|---" * (len(CHANGES) + 1) + "|")
    for model in options.models:
        correct, same = [], []
        runs = sorted(options.results.glob(f"runs/artist*/{model}/*/model.safetensors"))
        for path in tqdm(runs, desc=model, unit="network", disable=None):
            network, genres, _ = load(path)
            _, known = held_out(tracks, options.results / f"splits/{path.parts[-4]}.parquet")
            found = predictions(network.eval(), shards, known.index.to_numpy())
            truth = known["genre"].map({genre: i for i, genre in enumerate(genres)})
            correct.append(found.eq(truth, axis=0))
            same.append(found.eq(found["0 dB"], axis=0))
        for name, tables in (("accuracy", correct), ("as at 0 dB", same)):
            shares = 100 * pd.concat(tables).mean()
            print(
                f"| {model}, {len(runs)} runs: {name} |",
                " | ".join(f"{s:.1f}" for s in shares),
                "|",
            )


if __name__ == "__main__":
    main()
