"""MkDocs: the reference of keys and commands, generated from the code's own definitions."""

import argparse
import sys
import typing
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from songnet.cli import make_parser
from songnet.pipeline.settings import Settings

CONFIGURATION = """\
# Configuration

`config/config.yaml` holds the science of a run; machine settings belong in a
[profile](../how-to/slurm.md). Every key can be given on the command line, in quotes if it has
brackets:

```
snakemake --cores 8 --config dataset=fma_small 'seeds=[1,2]' 'spectrogram={n_mels: 96}'
```

An unknown key or value stops the run before it begins, with one line that names it.

| key | default | allowed | meaning |
|---|---|---|---|
"""
COMMANDS = "# Command line\n\nEvery command prints this help with `--help`.\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    keys = CONFIGURATION + "".join(f"| {' | '.join(row)} |\n" for row in _rows(Settings))
    for name, content in (("configuration", keys), ("cli", COMMANDS + _help(make_parser()))):
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    return files


def _rows(section: type[BaseModel], prefix: str = "") -> typing.Iterator[tuple[str, ...]]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _rows(field.annotation, f"{prefix}{name}.")
        else:
            default = "–" if field.default in (None, [], {}) else f"`{field.default}`"
            meaning = (field.description or "").replace("\n", " ").replace("|", "\\|")
            yield f"`{prefix}{name}`", default.replace("'", ""), _allowed(field), meaning


def _allowed(field: FieldInfo) -> str:
    limits = " ".join(_limit(limit) for limit in field.metadata if _limit(limit))
    return _type(field.annotation) + (f" {limits}" if limits else "")


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return " ".join(filter(None, [_type(arguments[0]), *map(_limit, arguments[1:])]))
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if type(None) in arguments:
        return " or ".join(_type(kind) for kind in arguments if kind is not type(None))
    names = {str: "text", int: "integer", float: "number", bool: "true or false", dict: "keys"}
    return names.get(origin or annotation, "")


def _limit(limit: Any) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [f"{sign} {getattr(limit, key)}" for key, sign in signs.items()
             if getattr(limit, key, None) is not None]  # fmt: skip
    return " ".join(found)


def _help(parser: argparse.ArgumentParser) -> str:
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    pages = []
    for name, command in commands.choices.items():
        command.formatter_class = lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=90)
        pages.append(f"\n## songnet {name}\n\n```text\n{command.format_help()}```\n")
    return "".join(pages)
