"""Fetches musicnn and turns it into a file of weights of SongNet's."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch

from songnet.errors import SongNetError
from songnet.features.log_mel import LogMelSpectrogram
from songnet.features.spectrogram import describe
from songnet.io import sha256
from songnet.models.base import save
from songnet.models.configs import TaggerConfig
from songnet.models.encoder_networks import MusiCNNTagger
from songnet.models.musicnn import convert
from songnet.models.musicnn_tags import GENRES, PRETRAINED, TAGS
from songnet.models.tf_checkpoint import read_checkpoint

WHEEL = "musicnn==0.1.0"
WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
WEIGHTS = "musicnn/MSD_musicnn/"  # inside the wheel: trained on the Million Song Dataset


def fetch_musicnn(output: str | Path, genres: dict[str, Any] | None = None) -> None:
    """Fetch musicnn's wheel from PyPI, check it and write its weights as a network of SongNet.

    Args:
        output: file of weights.
        genres: list of tags of each genre that the network names; None for GENRES.

    Raises:
        SongNetError: pip cannot fetch the wheel, it is another one, or genres are not such lists.
    """
    genres = GENRES if genres is None else genres
    if len(genres) < 2:
        raise SongNetError("genres: at least two are needed")
    for genre, wanted in genres.items():
        if not isinstance(wanted, list) or not wanted:
            raise SongNetError(f"genre {genre!r}: expected a list of tags, got {wanted!r}")
        if unknown := [tag for tag in wanted if tag not in TAGS]:
            raise SongNetError(
                f"genre {genre!r}: musicnn has no tag {unknown[0]!r} (its tags: {', '.join(TAGS)})"
            )
    names = sorted(genres)
    tags = {name: genres[name] for name in names}
    sizes = LogMelSpectrogram().bands, len(names), LogMelSpectrogram().frames_per_second
    network = MusiCNNTagger(TaggerConfig(*sizes, tags)).eval()
    with tempfile.TemporaryDirectory() as folder:
        weights = _weights(_download(folder), folder)
        # Batch normalisations count batches, TensorFlow's do not.
        network.musicnn.load_state_dict(weights, strict=False)
    facts: dict[str, Any] = {"model": "musicnn", "title": "musicnn", "pretrained": PRETRAINED}
    facts |= {"spectrogram": describe(LogMelSpectrogram())}
    save(network, names, facts, output)


def _download(folder: str) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
               "--disable-pip-version-check", "--dest", folder, WHEEL]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(Path(folder).glob("*.whl"))
    if done.returncode or not wheels:
        problem = (done.stderr.strip() or "no wheel came").splitlines()[-1]
        raise SongNetError(f"pip download {WHEEL}: {problem}")
    if (found := sha256(wheels[0])) != WHEEL_SHA256:
        raise SongNetError(f"{WHEEL}: SHA-256 of the wheel is {found}, expected {WHEEL_SHA256}")
    return wheels[0]


def _weights(wheel: Path, folder: str) -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(wheel) as archive:
        for suffix in (".index", ".data-00000-of-00001"):
            archive.extract(WEIGHTS + suffix, folder)
    return convert(read_checkpoint(f"{folder}/{WEIGHTS}"))
