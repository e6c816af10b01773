"""``songnet similar``: find songs in a library that sound like a given song."""

import argparse
import json
from pathlib import Path
from typing import Any

from songnet.commands.options import add_model, positive
from songnet.commands.streams import silence_libraries


def add(commands: Any) -> None:
    """Add the subcommand to a parser's subparsers."""
    parser = commands.add_parser("similar", help="list the songs most similar to a song")
    parser.add_argument("song", metavar="FILE", help="a song, which need not be in the library")
    parser.add_argument(
        "--library", default="library.parquet", metavar="TABLE", type=Path,
        help="table written by `songnet tag` (default: library.parquet)",
    )  # fmt: skip
    parser.add_argument("-n", "--number", type=positive, default=10, metavar="N",
                        help="number of songs (default: 10)")  # fmt: skip
    parser.add_argument("--jsonl", action="store_true", help="print one line of JSON per song")
    add_model(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the songs, most similar first."""
    from songnet.library.similar import similar

    silence_libraries()
    for found in similar(options.song, options.library, options.model, options.number):
        if options.jsonl:
            print(json.dumps(found._asdict()))
        else:
            names = ": ".join(filter(None, [found.artist, found.title]))
            print(f"{found.similarity:.3f}  {found.genre}  {found.path}{names and f'  ({names})'}")
    return 0
