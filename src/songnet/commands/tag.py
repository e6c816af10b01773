"""``songnet tag``: classify a whole library into a table, and use that table."""

import argparse
import sys
from pathlib import Path
from typing import Any

from songnet.commands.options import (
    add_excerpt,
    add_jobs,
    add_model,
    add_paths,
    given_paths,
    share,
)
from songnet.formatting import counted, percent

EXAMPLES = """\
for example:
  songnet tag Music/                       # write library.parquet; run again for new files
  songnet tag Music/ -o library.csv --report --playlists Playlists/
  songnet tag --write-tags                 # list the genres that would be written into files
  songnet tag --write-tags --yes           # write them
  songnet tag --undo                       # restore the previous genres
"""


def add(commands: Any) -> None:
    """Add the subcommand to a parser's subparsers."""
    parser = commands.add_parser(
        "tag", help="classify a whole library into a table", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_paths(parser)
    parser.add_argument(
        "-o", "--output", default="library.parquet", metavar="TABLE", type=Path,
        help="a .parquet, .csv or .jsonl file (default: library.parquet); without PATH, an "
        "existing table",
    )  # fmt: skip
    add_excerpt(parser)
    add_jobs(parser)
    add_model(parser)
    uses = parser.add_argument_group("use the table")
    uses.add_argument("--report", action="store_true", help="write an HTML page about the library")
    uses.add_argument("--playlists", metavar="DIR", type=Path, help="write one playlist per genre")
    uses.add_argument("--write-tags", action="store_true", help="write genres into the files")
    uses.add_argument("--undo", action="store_true", help="undo the changes of --write-tags")
    uses.add_argument("--yes", action="store_true", help="write tags instead of listing them")
    uses.add_argument(
        "--overwrite", action="store_true", help="replace genres already in the files"
    )
    uses.add_argument(
        "--min-confidence", type=share, default=0.5, metavar="P",
        help="ignore genres with a lower probability (default: 0.5)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tag the files, then use the table; return 1 if a file could not be written, else 0."""
    if options.undo:
        return _undo(options)
    if options.paths or options.lists:
        _tag(options)
    elif not (options.report or options.playlists or options.write_tags):
        list(given_paths(options))  # raises: no input
    if options.report:
        _report(options)
    if options.playlists:
        _write_playlists(options)
    return _write_tags(options) if options.write_tags else 0


def _tag(options: argparse.Namespace) -> None:
    from songnet.library.tag import tag_library

    counts = tag_library(
        list(given_paths(options)), options.output, options.model, options.excerpt, options.jobs,
        announce=print,
    )  # fmt: skip
    files, gone = counted(counts.files, "file"), counted(counts.dropped, "missing file")
    missing = f"; {gone} dropped from it" if counts.dropped else ""
    print(f"{options.output}: {files}, {counts.left:,} newly classified{missing}")


def _report(options: argparse.Namespace) -> None:
    from songnet.library.report import write_library_page

    page = options.output.with_suffix(".html")
    write_library_page(options.output, page, options.min_confidence)
    print(f"{page}: open it in a browser")


def _write_playlists(options: argparse.Namespace) -> None:
    from songnet.library.playlists import write_playlists

    found = write_playlists(options.output, options.playlists, options.min_confidence)
    for path, count in found.items():
        print(f"{path}: {count:,} songs")


def _write_tags(options: argparse.Namespace) -> int:
    from songnet.library.undo import undo_file
    from songnet.library.write_tags import apply, wanted_changes

    changes = wanted_changes(options.output, options.min_confidence, options.overwrite)
    done = failed = 0
    for change in apply(options.output, changes) if options.yes else changes:
        if change.problem:
            failed += 1
            print(f"songnet: error: {change.path}: {change.problem}", file=sys.stderr)
            continue
        done += 1
        old, new = (", ".join(genres) or "no genre" for genres in (change.old, change.new))
        print(f"{change.path}: {old} → {new} ({percent(change.probability, 0)})")
    if options.yes:
        log = undo_file(options.output)
        print(f"{done:,} files written; `songnet tag --undo` restores them from {log}")
    else:
        print(f"{done:,} files would be written; add --yes to write them")
    return int(bool(failed))


def _undo(options: argparse.Namespace) -> int:
    from songnet.library.write_tags import undo

    done = failed = 0
    for path, problem in undo(options.output):
        if problem:
            failed += 1
            print(f"songnet: error: {path}: {problem}", file=sys.stderr)
        else:
            done += 1
            print(path)
    print(f"{done:,} files restored to their previous genres")
    return int(bool(failed))
