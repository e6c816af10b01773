"""The ``songnet`` command."""

import argparse
import io
import os
import sys

from songnet import __version__
from songnet.commands import classify, export, get, listen, serve, similar, site, tag
from songnet.errors import SongNetError

EXAMPLES = """\
for example:
  songnet classify song.mp3
  songnet tag Music/ --report
  songnet serve

The workflow writes its best network to results/*/best.safetensors. `make run` trains one on
synthetic music, `snakemake --cores 8 --config dataset=fma_small` one on real music.
"""
COMMANDS = (classify, tag, similar, listen, serve, site, export, get)


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand and return its exit status, 0 on success."""
    options = make_parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # file names need not be UTF-8
            stream.reconfigure(errors="surrogateescape")
    try:
        return int(options.run(options))
    except SongNetError as error:
        print(f"songnet: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reading end of the pipe is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def make_parser() -> argparse.ArgumentParser:
    """Create the parser with all subcommands."""
    parser = argparse.ArgumentParser(
        prog="songnet", description="Classify music by genre.", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
