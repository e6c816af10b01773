"""Commands in the documents name what exists; the workflow's own tests run such commands."""

import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from songnet.cli import _parser
from songnet.configuration import check, read_models, read_yaml
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "config/README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(path: Path) -> list[list[str]]:
    """Lines of the fenced blocks as words; `[TARGET]` stands for what the reader puts there."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    starts = ("snakemake ", "songnet ", "make ")
    return [shlex.split(line, comments=True) for line in lines if line.startswith(starts)]


COMMANDS = {" ".join(words): words for page in PAGES for words in commands(page)}


def test_documents_have_commands() -> None:
    assert {"make run", "make test", "songnet serve"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("snakemake ")])
def test_snakemake_commands(command: str, tmp_path: Path) -> None:
    words = [word for word in COMMANDS[command] if word != "[TARGET]" and word != "[--config"]
    config: dict[str, object] = {}
    for before, word in itertools.pairwise(words):
        if before == "--configfile":
            config |= read_yaml(ROOT / word)
        elif before == "--profile":
            assert (ROOT / word / "config.yaml").exists()
        elif re.fullmatch(r"\w+=[^.]*", word) and not word.startswith("key="):
            key, _, value = word.partition("=")
            # As on the command line: lists of words.
            config[key] = value.strip("[]").split(",") if value.startswith("[") else value
    if "archives" in config:
        config["archives"] = str(tmp_path)
        for name in ("fma_metadata.zip", "fma_small.zip", "mels-00.npz"):
            (tmp_path / name).touch()
    tables = [read_yaml(ROOT / "config/datasets.yaml"), read_models(ROOT / "config/models.yaml")]
    check(config, read_yaml(ROOT / "workflow/schemas/config.schema.yaml"), *tables)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("songnet ")])
def test_songnet_commands(command: str) -> None:
    _parser().parse_args(COMMANDS[command][1:])


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_make_commands(command: str) -> None:
    targets = re.findall(r"^([\w.-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert COMMANDS[command][1] in targets


def test_the_manual_has_every_key() -> None:
    def keys(rule: dict[str, Any], above: str = "") -> list[str]:
        names = []
        for name, inner in rule["properties"].items():
            below = keys(inner, f"{above}{name}.") if inner["type"] == "object" else []
            names += below or [above + name]
        return names

    manual = (ROOT / "config/README.md").read_text()
    schema = read_yaml(ROOT / "workflow/schemas/config.schema.yaml")
    missing = [
        key
        for key in keys(schema)
        if f"`{key}`" not in manual and f"`{key.rpartition('.')[0]}`" not in manual
    ]
    assert not missing
    # The file says what the schema would fill in.
    assert read_yaml(ROOT / "config/config.yaml") == check(
        {}, schema, {"demo": {"source": "synthesis"}}, {}
    )
