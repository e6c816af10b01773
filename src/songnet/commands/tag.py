"""``songnet tag``: a table of the genres of a whole library."""

import argparse
from typing import Any

from songnet.commands.options import add_excerpt, add_jobs, add_model, add_paths, given_paths
from songnet.commands.streams import silence_libraries

EXAMPLES = """\
for example:
  songnet tag Music/                       # writes library.parquet; again: new files alone
  songnet tag Music/ -o library.csv
"""


def add(commands: Any) -> None:
    """Add the subcommand to those of a parser."""
    parser = commands.add_parser(
        "tag", help="write a table of the genres of a whole library", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_paths(parser)
    parser.add_argument(
        "-o", "--output", default="library.parquet", metavar="TABLE",
        help="a .parquet, .csv or .jsonl file (default: library.parquet)",
    )  # fmt: skip
    add_excerpt(parser)
    add_jobs(parser)
    add_model(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tag the files and print what was done."""
    from songnet.library.tag import tag_library

    paths = list(given_paths(options))
    silence_libraries()
    counts = tag_library(paths, options.output, options.model, options.excerpt, options.jobs)
    print(
        f"{options.output}: {counts.files:,} files, {counts.left:,} of them listened to now"
        + (f"; {counts.dropped:,} that are gone were dropped" if counts.dropped else "")
    )
    return 0
