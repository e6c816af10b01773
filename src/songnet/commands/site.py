"""``songnet site``: write the page as static files."""

import argparse
import shlex
from typing import Any

from songnet.commands.options import add_models


def add(commands: Any) -> None:
    """Add the subcommand to a parser's subparsers."""
    parser = commands.add_parser(
        "site", help="write the page as static files, for any web server",
        description="The page runs the networks in the visitor's browser, also offline.",
    )  # fmt: skip
    parser.add_argument("folder", metavar="DIR", help="new folder, or one written by this command")
    add_models(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the files."""
    from songnet.realtime.site import find_models, write_site

    models = find_models(options.model)
    size = write_site(models, options.folder)
    print(
        f"{len(models)} {'network' if len(models) == 1 else 'networks'}, "
        f"{size / 2**20:.1f} MB for a first visit, written to {options.folder}\n"
        f"try it: python -m http.server --directory {shlex.quote(options.folder)}"
    )
    return 0
