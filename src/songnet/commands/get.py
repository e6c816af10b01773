"""``songnet get``: download a pretrained model into the user's data directory."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add the subcommand to a parser's subparsers."""
    parser = commands.add_parser("get", help="download a pretrained model, for --model NAME")
    parser.add_argument("name", choices=["musicnn"], help="musicnn: 12 genres from 50 tags")
    parser.add_argument("--genres", metavar="FILE.yaml",
                        help="your own genres, each with a list of tags")  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Download and convert the model."""
    from songnet.models.pretrained import fetch_musicnn
    from songnet.pipeline.yaml_files import read_yaml
    from songnet.realtime.classify import description, find_model
    from songnet.realtime.installed import data_path

    path = data_path(options.name)
    genres = read_yaml(options.genres) if options.genres else None
    fetch_musicnn(path, genres, where=options.genres or "genres")
    print(f"{description(find_model(str(path)))}\nwritten to {path}")
    print(f"try: songnet classify song.mp3 --model {options.name}")
    return 0
