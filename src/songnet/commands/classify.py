"""``songnet classify``: print predictions for audio files as they are computed."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from songnet.commands.options import add_excerpt, add_jobs, add_model, add_paths, given_paths
from songnet.commands.streams import silence_libraries
from songnet.formatting import FORMULA, clock, csv_row, csv_text, percent

if TYPE_CHECKING:
    from songnet.realtime.model import Model
    from songnet.realtime.results import Classification

Write = Callable[["Classification"], None]


def add(commands: Any) -> None:
    """Add the subcommand to a parser's subparsers."""
    parser = commands.add_parser("classify", help="classify audio files")
    add_paths(parser)
    add_excerpt(parser)
    add_jobs(parser)
    add_model(parser)
    form = parser.add_mutually_exclusive_group()
    forms = {
        "csv": "print one row per file",
        "jsonl": "print all values, one line of JSON per file",
        "json": "print all values as one JSON document",
    }
    for name, text in forms.items():
        form.add_argument(f"--{name}", action="store_const", dest="form", const=name, help=text)
    parser.set_defaults(run=run, form="plain")


def run(options: argparse.Namespace) -> int:
    """Classify and print; return 1 if a file could not be read, else 0."""
    from tqdm import tqdm

    import songnet

    silence_libraries()
    model = songnet.load(options.model)
    only_files = not options.lists and not any(Path(path).is_dir() for path in options.paths)
    results = model.iter_classify(_files(options), options.excerpt, options.jobs)
    total = len(options.paths) if only_files else None
    failed = False
    with FORMS[options.form](model) as write:
        for result in tqdm(results, total=total, unit="file", disable=None, leave=False):
            with tqdm.external_write_mode(sys.stdout):
                write(result)
                sys.stdout.flush()
            if result.error:
                failed = True
                tqdm.write(f"songnet: error: {result.file}: {result.error}", file=sys.stderr)
    return int(failed)


def _files(options: argparse.Namespace) -> Iterator[str]:
    """Yield the given files and the audio files below folders.

    A folder without audio files is yielded itself, so that it gets an error of its own.
    """
    from songnet.data.audio_files import audio_files

    for path in given_paths(options):
        found = audio_files([path]) if Path(path).is_dir() else iter(())
        yield str(next(found, path))
        yield from map(str, found)


@contextmanager
def _plain(model: "Model") -> Iterator[Write]:
    from songnet.realtime.classify import caution, description

    def write(result: "Classification") -> None:
        if not result.error:
            print(_text(result, caution(model)))

    print(f"{description(model)}\n")
    yield write


def _text(result: "Classification", caution: str) -> str:
    from songnet.features.audio import SHORTFALL_SECONDS

    head = f"{result.file}  {clock(result.seconds)}"
    if result.lost_seconds >= SHORTFALL_SECONDS:
        head += f"  ({result.lost_seconds:.1f} s more could not be decoded)"
    if result.prediction is None or result.probabilities is None:
        return f"{head}\n  {result.reason}"
    top = sorted(result.probabilities.items(), key=lambda item: -item[1])[:3]
    shares = "  ".join(f"{genre} {percent(share, 0)}" for genre, share in top)
    turns = " · ".join(f"{clock(at)} {genre}" for at, genre in result.timeline[:12])
    more = " …" if len(result.timeline) > 12 else ""
    unsure = "  (unsure)" if result.prediction.unsure else ""
    warning = f"  ({caution})" if caution else ""
    return f"{head}\n  {shares}{unsure}{warning}\n  {turns}{more}"


@contextmanager
def _csv(model: "Model") -> Iterator[Write]:
    from songnet.realtime.results import FACTS

    def write(result: "Classification") -> None:
        row = result.to_dict()
        if result.file.startswith(FORMULA):
            row["file"] = f"./{result.file}"
        if result.prediction:
            row["prediction"] = csv_text(result.prediction.genre)
        shares = {genre: round(p, 6) for genre, p in (result.probabilities or {}).items()}
        print(end=csv_row([*map(row.get, FACTS), *map(shares.get, model.genres)]))

    print(end=csv_row([*FACTS, *map(csv_text, model.genres)]))
    yield write


@contextmanager
def _jsonl(model: "Model") -> Iterator[Write]:
    def write(result: "Classification") -> None:
        print(json.dumps(result.to_dict()))

    yield write


@contextmanager
def _json(model: "Model") -> Iterator[Write]:
    """Write one document with one line per file, so that complete lines survive a kill."""
    from songnet.realtime.classify import about

    separator = "\n"

    def write(result: "Classification") -> None:
        nonlocal separator
        print(f"{separator}{json.dumps(result.to_dict())}", end="")
        separator = ",\n"

    print(f'{{"model": {json.dumps(about(model))},\n"files": [', end="")
    yield write
    print("\n]}")


FORMS: dict[str, Callable[["Model"], AbstractContextManager[Write]]] = {
    "plain": _plain, "csv": _csv, "jsonl": _jsonl, "json": _json,
}  # fmt: skip
