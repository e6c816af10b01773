"""``songnet export``: export one step of a network to ONNX."""

import argparse
from pathlib import Path
from typing import Any

from songnet.commands.options import add_model
from songnet.errors import SongNetError


def add(commands: Any) -> None:
    """Add the subcommand to a parser's subparsers."""
    parser = commands.add_parser("export", help="write one step of the network as ONNX")
    parser.add_argument("output", metavar="FILE.onnx", help="file to write")
    add_model(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the ONNX file."""
    from songnet.realtime.classify import description, find_model
    from songnet.realtime.export import export_onnx

    model = find_model(options.model)
    if Path(options.output).is_dir():
        raise SongNetError(f"{options.output}: a folder, not a file")
    if not Path(options.output).absolute().parent.is_dir():
        raise SongNetError(f"{options.output}: no such folder; create it first")
    try:
        export_onnx(model, options.output)
    except OSError as error:
        raise SongNetError(f"{options.output}: {error.strerror}") from None
    print(f"{description(model)}\nwritten to {options.output}")
    return 0
