"""Options shared by several subcommands."""

import argparse
import os
from collections.abc import Iterator

from songnet.defaults import EXCERPT_SECONDS
from songnet.errors import SongNetError
from songnet.parallel import cores


def positive(text: str) -> int:
    """Parse a positive integer."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)


def share(text: str) -> float:
    """Parse a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def excerpt(text: str) -> float | None:
    """Parse ``--excerpt``: seconds, or None for ``all``."""
    if text == "all":
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'all' nor 1 to 3600 seconds")
    return seconds


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``."""
    parser.add_argument(
        "--model", metavar="FILE", help="model file, or the name of a model from `songnet get` "
        "(default: newest results/*/best.safetensors, else the last network you trained)",
    )  # fmt: skip


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, which may be repeated to offer several networks on the page."""
    parser.add_argument(
        "--model", metavar="FILE", action="append",
        help="model file, or the name of a model from `songnet get`; repeat for several "
        "(default: all results/*/best.safetensors)",
    )  # fmt: skip


def add_excerpt(parser: argparse.ArgumentParser) -> None:
    """Add ``--excerpt``."""
    parser.add_argument(
        "--excerpt", type=excerpt, default=EXCERPT_SECONDS, metavar="SECONDS",
        help="length of the excerpt classified from the middle of each file, or 'all' "
        "(default: 30, the length used to measure accuracy)",
    )  # fmt: skip


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add ``--jobs``."""
    parser.add_argument(
        "--jobs", type=positive, default=cores(), metavar="N",
        help="number of files to process in parallel (default: one per core)",
    )  # fmt: skip


def add_paths(parser: argparse.ArgumentParser) -> None:
    """Add the folders and files to process, and ``--from-file``."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="folders and audio files")
    parser.add_argument(
        "--from-file", action="append", default=[], metavar="LIST", dest="lists",
        help="read paths from a file, one per line; '-' for standard input",
    )  # fmt: skip


def given_paths(options: argparse.Namespace) -> Iterator[str]:
    """Yield the paths on the command line, then those in the lists.

    Raises:
        SongNetError: no path is given, or a list cannot be read.
    """
    if not options.paths and not options.lists:
        raise SongNetError("no input; give a folder or a file, or a list with --from-file")
    yield from options.paths
    for name in options.lists:
        yield from lines(name)


def lines(name: str) -> Iterator[str]:
    """Yield the non-empty lines of a file as paths; ``-`` reads standard input as it arrives.

    Raises:
        SongNetError: the file cannot be read.
    """
    try:
        with open(0 if name == "-" else name, "rb", closefd=name != "-") as file:
            for line in file:
                if path := os.fsdecode(line.rstrip(b"\r\n")):
                    yield path
    except OSError as error:
        raise SongNetError(f"--from-file: {name}: {error.strerror}") from None
