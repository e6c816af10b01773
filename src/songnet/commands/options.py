"""Options that several subcommands have."""

import argparse
import os
from collections.abc import Iterator

from songnet.defaults import EXCERPT_SECONDS
from songnet.errors import SongNetError
from songnet.parallel import cores


def positive(text: str) -> int:
    """Type of a positive number."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def share(text: str) -> float:
    """Type of a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def excerpt(text: str) -> float | None:
    """Type of ``--excerpt``: seconds, or None for ``all``."""
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
        "--model", metavar="FILE", help="network, or the name of one from `songnet get` "
        "(default: newest results/*/best.safetensors, elsewhere the last one trained)",
    )  # fmt: skip


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, once for each network of the page."""
    parser.add_argument(
        "--model", metavar="FILE", action="append",
        help="network; repeat for several (default: all results/*/best.safetensors)",
    )  # fmt: skip


def add_excerpt(parser: argparse.ArgumentParser) -> None:
    """Add ``--excerpt``."""
    parser.add_argument(
        "--excerpt", type=excerpt, default=EXCERPT_SECONDS, metavar="SECONDS",
        help="classify this much of the middle of each file, or 'all' (default: 30, as in the "
        "measurement of accuracy)",
    )  # fmt: skip


def add_jobs(parser: argparse.ArgumentParser) -> None:
    """Add ``--jobs``."""
    parser.add_argument(
        "--jobs", type=positive, default=cores(), metavar="N",
        help="files at a time (default: one per core)",
    )  # fmt: skip


def add_paths(parser: argparse.ArgumentParser) -> None:
    """Add folders, files and lists of them."""
    parser.add_argument("paths", nargs="*", metavar="PATH", help="folders and audio files")
    parser.add_argument(
        "--from-file", action="append", default=[], metavar="LIST", dest="lists",
        help="read paths from a file, one per line; '-' for standard input",
    )  # fmt: skip


def given_paths(options: argparse.Namespace) -> Iterator[str]:
    """Paths of a command and of its lists, one after the other.

    Raises:
        SongNetError: there is none, or a list cannot be read.
    """
    if not options.paths and not options.lists:
        raise SongNetError("name a folder, a file, or a list of them with --from-file")
    yield from options.paths
    for name in options.lists:
        yield from lines(name)


def lines(name: str) -> Iterator[str]:
    """Lines of a file that are not empty, as names of files; of ``-`` as they come.

    Raises:
        SongNetError: it cannot be read.
    """
    try:
        with open(0 if name == "-" else name, "rb", closefd=name != "-") as file:
            for line in file:
                if path := os.fsdecode(line.rstrip(b"\r\n")):
                    yield path
    except OSError as error:
        raise SongNetError(f"--from-file: {name}: {error.strerror}") from None
