"""MkDocs hooks that generate tables of keys and commands from the code.

Markers such as `<!-- keys -->` in a page are replaced by generated parts.
"""

import argparse
import re
import typing
from pathlib import Path
from types import NoneType
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from songnet.cli import make_parser
from songnet.pipeline.settings import Settings

ROOT = Path(__file__).parents[1]
MARKERS = r"<!-- (keys|commands|benchmarks|\w+\.yaml) -->"
TYPES = {str: "text", int: "integer", float: "number", bool: "true or false", dict: "keys"}
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the figure of the benchmarks, which is outside docs/."""
    figure = ROOT / "benchmarks/results.svg"
    files.append(File.generated(config, "images/benchmarks.svg", abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace markers by generated parts."""
    return re.sub(MARKERS, lambda found: part(found[1]), markdown)


def part(name: str) -> str:
    """Generate a part: the table of keys, help, benchmarks, or a file's opening comment."""
    if name == "keys":
        return _key_table()
    if name == "commands":
        return _help(make_parser())
    if name == "benchmarks":
        return _benchmarks()
    lines = (ROOT / "config" / name).read_text().splitlines()
    comment = lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]
    return "```yaml\n" + "\n".join(comment) + "\n```"


def _benchmarks() -> str:
    _, text = (ROOT / "benchmarks/results.md").read_text().split("\n", 1)
    return text.replace("\n## ", "\n### ").replace("(results.svg)", "(../images/benchmarks.svg)")


def _key_table() -> str:
    meanings = key_comments((ROOT / "config/config.yaml").read_text())
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for key, field in Settings.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            rows.append(f"| `{key}` | | | {meanings[key]} |")
            rows += [_row(f"{key}.{name}", part) for name, part in inner.model_fields.items()]
        else:
            rows.append(_row(key, field, meanings[key]))
    return "\n".join(rows)


def key_comments(text: str) -> dict[str, str]:
    """Extract the comment above each key of config.yaml, as a table cell."""
    comments: dict[str, str] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            lines.append(re.sub(r"^#   (\w+)  +", r"<br>`\1`: ", line).lstrip("# "))
        elif key := re.match(r"(\w+):", line):
            comments[key[1]] = " ".join(lines).replace("|", "\\|")
            lines = []
        else:
            lines = []
    return comments


def _row(key: str, field: FieldInfo, meaning: str = "") -> str:
    default = "–" if field.default in (None, [], {}) else f"`{field.default}`".replace("'", "")
    limits = " ".join(_limit(limit) for limit in field.metadata if _limit(limit))
    allowed = " ".join(filter(None, [_type(field.annotation), limits]))
    return f"| `{key}` | {default} | {allowed} | {meaning} |"


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return " ".join(filter(None, [_type(arguments[0]), *map(_limit, arguments[1:])]))
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if NoneType in arguments:
        return " or ".join(_type(kind) for kind in arguments if kind is not NoneType)
    return TYPES.get(origin or annotation, "")


def _limit(limit: Any) -> str:
    found = ((sign, getattr(limit, name, None)) for name, sign in SIGNS.items())
    return " ".join(f"{sign} {value}" for sign, value in found if value is not None)


def _help(parser: argparse.ArgumentParser) -> str:
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return "\n".join(_page(name, command) for name, command in commands.choices.items())


def _page(name: str, command: argparse.ArgumentParser) -> str:
    command.formatter_class = lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=74)
    return f"### songnet {name}\n\n```text\n{command.format_help()}```\n"
