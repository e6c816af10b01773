"""A network that classifies audio, through its file: what `songnet.load` returns."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from songnet.defaults import EXCERPT_SECONDS
from songnet.errors import SongNetError
from songnet.features.spectrogram import Spectrogram, make_spectrogram
from songnet.models.base import Saved, load
from songnet.parallel import cores
from songnet.realtime.results import Classification

if TYPE_CHECKING:  # the other way round, they know this module
    from songnet.realtime.stream import Stream

# What a file of weights says of the accuracy, if it says anything.
MEASURED = {"subset", "accuracy", "ci_low", "ci_high", "tracks"}


class Model(NamedTuple):
    """A network that classifies audio, and the spectrogram that it reads.

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
        """What the network is, and what it was trained on."""
        return self.saved.facts

    @property
    def lookahead_seconds(self) -> float:
        """Music after a step that its prediction waits for."""
        return self.saved.network.lookahead / self.spectrogram.frames_per_second

    @property
    def step_seconds(self) -> float:
        """Music that one step covers."""
        return self.saved.network.frames_per_step / self.spectrogram.frames_per_second

    @overload  # text is an iterable of texts, too
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

        >>> result = model.classify("song.mp3")
        >>> result.genre, result.unsure
        ('Rock', False)
        >>> [found.genre for found in model.classify(["song.mp3", "other.mp3"])]
        ['Rock', 'Folk']

        Args:
            files: one file, or several.
            excerpt: seconds from the middle of each that are classified; None for all.

        Returns:
            One result or a list of them. In a list, a file that cannot be read is a result whose
            ``error`` says why.

        Raises:
            SongNetError: the one file cannot be read.
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
        """Classify audio files one after the other, as `classify` does, in little memory.

        Args:
            files: any number of them.
            excerpt: as `classify` takes it.
            jobs: files at a time; None for one for each core.

        Yields:
            A result for each file, in their order.
        """
        from songnet.realtime.classify import classify_files

        return classify_files(self, map(str, files), jobs or cores(), excerpt)

    def embed(
        self, file: str | Path, excerpt: float | None = EXCERPT_SECONDS
    ) -> NDArray[np.float32]:
        """Describe a file by numbers: similar music has similar ones.

        >>> similarity = model.embed("song.mp3") @ model.embed("other.mp3")

        Args:
            file: audio.
            excerpt: as `classify` takes it.

        Returns:
            (H,) float32; H depends on the network.

        Raises:
            SongNetError: the file cannot be read, or is silent.
        """
        result = self.classify(file, excerpt)
        if result.embedding is None:
            raise SongNetError(f"{result.file}: {result.reason}")
        return result.embedding

    def stream(self, sample_rate: int) -> "Stream":
        """Begin to classify a piece of music that arrives in pieces.

        >>> stream = model.stream(44_100)
        >>> for step in stream.push(np.zeros(44_100, np.float32)):
        ...     print(f"{step.seconds:.2f} s, silent: {step.silent}")
        0.37 s, silent: True
        0.74 s, silent: True

        Args:
            sample_rate: of the music, Hz.
        """
        from songnet.realtime.stream import Stream

        return Stream(self, sample_rate)


def load_model(path: str | Path) -> Model:
    """Read a network for real-time use.

    Raises:
        SongNetError: no such file, no network, or one that cannot classify music as it plays.
    """
    if not Path(path).exists():
        raise SongNetError(f"{path}: no such file")
    saved = load(path)
    if not saved.network.is_causal():
        raise SongNetError(f"{path}: {saved.facts.get('model')} looks ahead; it cannot stream")
    if saved.facts.get("spectrogram") is None:
        raise SongNetError(
            f"{path}: was trained on precomputed spectrograms; it cannot classify audio"
        )
    try:
        _check_facts(saved.facts)
        spectrogram = make_spectrogram(saved.facts["spectrogram"])
        if spectrogram.bands != saved.network.config.n_bands:
            raise ValueError(
                f"{spectrogram.bands} bands for a network of {saved.network.config.n_bands}"
            )
    except (AttributeError, TypeError, ValueError) as error:
        raise SongNetError(f"{path}: not a network that can be served: {error}") from None
    return Model(saved, spectrogram, Path(path))


def _check_facts(facts: dict[str, Any]) -> None:
    """Fail where a fact that is shown is missing; MEASURED is all there, or not at all."""
    # One that was only pretrained has no data set.
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
