"""Raw samples from a pipe, classified as they come."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from songnet.errors import SongNetError
from songnet.realtime import Model, Step, Stream, verdict
from songnet.text import clock, percent

# What files of music begin with: heard as samples they are noise, and get a verdict.
FILES = (b"RIFF", b"ID3", b"fLaC", b"OggS", b"FORM")
FORMATS = {"s16le": ("<i2", 2**15), "s32le": ("<i4", 2**31), "f32le": ("<f4", 1)}


def read_samples(
    pipe: BinaryIO, kind: str, channels: int, rate: int
) -> Iterator[NDArray[np.float32]]:
    """Samples as they arrive, at most a tenth of a second at a time.

    Args:
        pipe: unbuffered, or anything with ``read``.
        kind: key of FORMATS.
        channels: interleaved.
        rate: Hz.

    Yields:
        (n, channels) float32.

    Raises:
        SongNetError: it is a file of music.
    """
    dtype, scale = FORMATS[kind]
    size = np.dtype(dtype).itemsize * channels
    rest = b""
    first = True
    while piece := pipe.read(size * max(1, rate // 10)):
        if first and piece.startswith(FILES):
            raise SongNetError(
                "listen reads raw samples, and this is a file: `songnet classify FILE`, or "
                "ffmpeg -i FILE -f s16le -ac 1 -ar 22050 - | songnet listen --rate 22050"
            )
        first = False
        rest += piece
        whole = len(rest) // size * size
        samples = np.frombuffer(rest[:whole], dtype).reshape(-1, channels)
        rest = rest[whole:]
        yield samples.astype(np.float32) / np.float32(scale)


def listen(model: Model, pieces: Iterator[NDArray[np.float32]], rate: int) -> Iterator[Step]:
    """Steps as soon as they are complete."""
    stream = Stream(model, rate)
    for samples in pieces:
        yield from stream.push(samples)
    yield from stream.finish()


def picture(step: Step, model: Model) -> RenderableType:
    """Bars of all genres: now, and so far."""
    table = Table.grid(padding=(0, 2))
    table.add_row("", Text("now", style="bold"), "", Text("so far", style="bold"), "")
    for i in np.argsort(-step.so_far):
        table.add_row(
            model.genres[i],
            ProgressBar(total=1, completed=float(step.now[i]), width=24),
            f"{percent(step.now[i], 0):>5}",
            ProgressBar(total=1, completed=float(step.so_far[i]), width=24),
            f"{percent(step.so_far[i], 0):>5}",
        )
    return Group(headline(step, model), table)


def headline(step: Step, model: Model) -> Text:
    """Time and verdict."""
    found = verdict(step.so_far, model.genres)
    text = Text(f"{clock(step.seconds)}  ")
    text.append(found.genre, style="bold")
    text.append(f"  {percent(found.probability, 0)}" + ("  (unsure)" if found.unsure else ""))
    return text
