"""Real-time classification of raw samples from a pipe."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from songnet.errors import SongNetError
from songnet.features import mpeg
from songnet.formatting import clock, percent
from songnet.realtime.classify import NO_MUSIC, caution
from songnet.realtime.results import predict
from songnet.realtime.stream import Model, Step, Stream

# First bytes of common file formats. Read as raw samples, a file would be noise, which would get a
# genre as well.
SIGNATURES = (
    b"RIFF", b"RF64", b"riff", b"FORM", b"ID3", b"fLaC", b"OggS", b"caff", b".snd", b"wvpk",
    b"MAC ", b"TTA1", b"MPCK", b"MP+", b"\x30\x26\xb2\x75", b"\x1a\x45\xdf\xa3", b"#!AMR", b"DSD ",
    b"FLV\x01", b"Creative Voice File", b"NIST_1A", b"MThd", b"\x0b\x77", b"\x7f\xfe\x80\x01",
    b"\x93NUMPY", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"SQLite format 3",
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF", b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\x7fELF",
)  # fmt: skip
BEGINNING = 8192  # bytes inspected to detect a file
TEXT_BYTES = 256  # this many printable bytes are text
FORMATS = {"s16le": ("<i2", 2**15), "s32le": ("<i4", 2**31), "f32le": ("<f4", 1)}


def read_samples(
    pipe: BinaryIO, kind: str, channels: int, rate: int
) -> Iterator[NDArray[np.float32]]:
    """Read samples as they arrive, at most a tenth of a second at a time.

    Args:
        pipe: unbuffered stream, or any object with ``read``.
        kind: sample format, a key of FORMATS.
        channels: number of interleaved channels.
        rate: sample rate in Hz.

    Yields:
        Samples (n, channels) float32.

    Raises:
        SongNetError: the pipe contains a file instead of raw samples.
    """
    dtype, scale = FORMATS[kind]
    size = np.dtype(dtype).itemsize * channels
    rest = b""
    begun = b""
    while piece := pipe.read(size * max(1, rate // 10)):
        if len(begun) < BEGINNING:
            begun += piece
            _check_is_raw(begun)
        rest += piece
        whole = len(rest) // size * size
        samples = np.frombuffer(rest[:whole], dtype).reshape(-1, channels)
        rest = rest[whole:]
        yield samples.astype(np.float32) / np.float32(scale)


def _check_is_raw(begun: bytes) -> None:
    is_text = len(begun) >= TEXT_BYTES and all(
        32 <= byte < 127 or byte in b"\t\n\r" for byte in begun
    )
    is_packed = begun[4:8] == b"ftyp" or begun[257:262] == b"ustar" or begun[0:400:188] == b"GGG"
    if begun.startswith(SIGNATURES) or is_packed or is_text or mpeg.is_stream(begun):
        raise SongNetError(
            "listen reads raw samples, but got a file; use `songnet classify FILE`, or "
            "ffmpeg -i FILE -f s16le -ac 1 -ar 22050 - | songnet listen --rate 22050"
        )


def listen(model: Model, pieces: Iterator[NDArray[np.float32]], rate: int) -> Iterator[Step]:
    """Yield steps as soon as they are complete."""
    stream = Stream(model, rate)
    for samples in pieces:
        yield from stream.push(samples)
    yield from stream.finish()


def picture(step: Step, model: Model) -> RenderableType:
    """Draw bars of the step and clip probabilities of all genres."""
    table = Table.grid(padding=(0, 2))
    table.add_row("", Text("now", style="bold"), "", Text("overall", style="bold"), "")
    for i in np.argsort(-step.clip_probabilities):
        table.add_row(
            Text(model.genres[i]),
            ProgressBar(total=1, completed=float(step.step_probabilities[i]), width=24),
            f"{percent(step.step_probabilities[i], 0):>5}",
            ProgressBar(total=1, completed=float(step.clip_probabilities[i]), width=24),
            f"{percent(step.clip_probabilities[i], 0):>5}",
        )
    return Group(headline(step, model), table)


def headline(step: Step, model: Model) -> Text:
    """Format the time and the current prediction."""
    text = Text(f"{clock(step.seconds)}  ")
    if step.silent:
        return text.append(NO_MUSIC)
    found = predict(step.clip_probabilities, model.genres)
    text.append(found.genre, style="bold")
    text.append(f"  {percent(found.probability, 0)}" + ("  (unsure)" if found.unsure else ""))
    if warning := caution(model):
        text.append(f"  ({warning})", style="yellow")
    return text
