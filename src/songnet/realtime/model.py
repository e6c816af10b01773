"""The model that `songnet.load` returns: a network that classifies audio."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from songnet.defaults import EXCERPT_SECONDS
from songnet.errors import SongNetError
from songnet.features.spectrogram import Spectrogram, describe, make_spectrogram
from songnet.models.base import Saved, load
from songnet.models.registry import network_name
from songnet.parallel import cores
from songnet.realtime.results import Classification

if TYPE_CHECKING:  # avoids a circular import
    from songnet.realtime.stream import Stream

# Keys of the accuracy in a weights file, if it has one.
MEASURED = {"subset", "accuracy", "ci_low", "ci_high", "tracks"}


class Model(NamedTuple):
    """A network that classifies audio, with its spectrogram.

    Examples:
        >>> model = songnet.load()
        >>> model.classify("song.mp3").genre
        'Rock'
    """

    saved: Saved
    spectrogram: Spectrogram
    path: Path

    @property
    def genres(self) -> list[str]:
        """Names of the genres, in the order of the probabilities."""
        return self.saved.genres

    @property
    def facts(self) -> dict[str, Any]:
        """Facts about the network and its training data."""
        return self.saved.facts

    @property
    def lookahead_seconds(self) -> float:
        """Seconds of music after a step that its prediction depends on."""
        return self.saved.network.lookahead / self.spectrogram.frames_per_second

    @property
    def step_seconds(self) -> float:
        """Seconds of music per step."""
        return self.saved.network.frames_per_step / self.spectrogram.frames_per_second

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that identify everything that affects predictions."""
        network = self.saved.network
        found = hashlib.sha256()
        settings = [network_name(network), asdict(network.config), self.genres]
        found.update(json.dumps([*settings, describe(self.spectrogram)]).encode())
        for name, tensor in sorted(network.state_dict().items()):
            found.update(name.encode() + tensor.numpy().tobytes())
        return found.hexdigest()[:8]

    @overload  # the overloads overlap, since str is an iterable of str
    def classify(  # type: ignore[overload-overlap]
        self, files: str | Path, excerpt: float | None = ...
    ) -> Classification: ...
    @overload
    def classify(
        self, files: Iterable[str | Path], excerpt: float | None = ...
    ) -> list[Classification]: ...
    def classify(
        self, files: str | Path | Iterable[str | Path], excerpt: float | None = EXCERPT_SECONDS
    ) -> Any:
        """Classify audio files.

        Examples:
            >>> result = model.classify("song.mp3")
            >>> result.genre, result.unsure
            ('Rock', False)
            >>> [found.genre for found in model.classify(["song.mp3", "other.mp3"])]
            ['Rock', 'Folk']

        Args:
            files: one file, or several.
            excerpt: length of the excerpt classified from the middle of each file, in seconds; None
                for whole files.

        Returns:
            One result, or a list of results. In a list, the result of an unreadable file has an
            ``error``.

        Raises:
            SongNetError: a single file was given and cannot be read.
        """
        if not isinstance(files, str | Path):
            return list(self.iter_classify(files, excerpt))
        (result,) = self.iter_classify([files], excerpt, jobs=1)
        if result.error:
            raise SongNetError(f"{result.file}: {result.error}")
        return result

    def iter_classify(
        self,
        files: Iterable[str | Path],
        excerpt: float | None = EXCERPT_SECONDS,
        jobs: int | None = None,
    ) -> Iterator[Classification]:
        """Classify any number of audio files in constant memory.

        Args:
            files: paths.
            excerpt: as in `classify`.
            jobs: number of files to process in parallel; None for one per core.

        Yields:
            One result per file, in the order of the files.

        Raises:
            ValueError: excerpt or jobs is not positive.
        """
        from songnet.realtime.classify import classify_files

        if excerpt is not None and not (isinstance(excerpt, int | float) and 0 < excerpt < np.inf):
            raise ValueError(f"excerpt must be a number of seconds or None, not {excerpt!r}")
        if jobs is not None and jobs < 1:
            raise ValueError(f"jobs must be 1 or more, not {jobs}")
        return classify_files(self, map(str, files), jobs or cores(), excerpt)

    def embed(
        self, file: str | Path, excerpt: float | None = EXCERPT_SECONDS
    ) -> NDArray[np.float32]:
        """Compute the embedding of a file: the smaller the angle, the more similar the music.

        Examples:
            >>> one, other = model.embed("song.mp3"), model.embed("other.mp3")
            >>> cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)

        Args:
            file: audio file.
            excerpt: as in `classify`.

        Returns:
            (H,) float32; H depends on the network.

        Raises:
            SongNetError: the file cannot be read or is silent.
        """
        result = self.classify(file, excerpt)
        if result.embedding is None:
            raise SongNetError(f"{result.file}: {result.reason}")
        return result.embedding

    def stream(self, sample_rate: int) -> "Stream":
        """Start to classify a stream of samples.

        Examples:
            >>> stream = model.stream(44_100)
            >>> for step in stream.push(np.zeros(44_100, np.float32)):
            ...     print(f"{step.seconds:.2f} s, silent: {step.silent}")
            0.37 s, silent: True
            0.74 s, silent: True

        Args:
            sample_rate: sample rate in Hz.
        """
        from songnet.realtime.stream import Stream

        return Stream(self, sample_rate)


def load_model(path: str | Path) -> Model:
    """Load a network for real-time use.

    Raises:
        SongNetError: the file does not exist, is not a network, or is one that cannot stream.
    """
    if not Path(path).exists():
        raise SongNetError(f"{path}: no such file")
    saved = load(path)
    if not saved.network.is_causal():
        raise SongNetError(f"{path}: {saved.facts.get('model')} is not causal; it cannot stream")
    if saved.facts.get("spectrogram") is None:
        raise SongNetError(f"{path}: trained on precomputed spectrograms or features, not on audio")
    try:
        _check_facts(saved.facts)
        spectrogram = make_spectrogram(saved.facts["spectrogram"])
        if spectrogram.bands != saved.network.config.n_bands:
            raise ValueError(
                f"{spectrogram.bands} bands, but the network expects {saved.network.config.n_bands}"
            )
    except (AttributeError, TypeError, ValueError) as error:
        raise SongNetError(f"{path}: not a network that can be served: {error}") from None
    return Model(saved, spectrogram, Path(path))


def _check_facts(facts: dict[str, Any]) -> None:
    """Check that the facts needed for display exist, and that MEASURED is complete if present."""
    # A network that was only pretrained has no data set.
    required = ("model",) if facts.get("pretrained") else ("model", "dataset", "protocol")
    if missing := [name for name in required if not facts.get(name)]:
        raise ValueError(f"lacks {', '.join(missing)}")
    measured = facts.get("measured")
    if measured is not None and (missing := MEASURED - measured.keys()):
        raise ValueError(f"measured lacks {', '.join(sorted(missing))}")
    if measured is not None and not all(
        isinstance(measured[name], int | float) for name in MEASURED - {"subset"}
    ):
        raise ValueError("measured has a value that is not a number")
