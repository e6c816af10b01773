"""Commands and messages in the documents are real; the workflow's own tests run such commands."""

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import snakemake.cli
import snakemake.exceptions
import snakemake.workflow
import yaml

from songnet.cli import _parser
from songnet.data.fma_zip import FmaZip
from songnet.data.tracks import read_tracks
from songnet.pipeline.yaml_files import read_yaml
from tests.configured import MODELS, ROOT, checked

PAGES = [ROOT / "README.md", ROOT / "config/README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(path: Path) -> list[list[str]]:
    """Commands as words, from fenced blocks and from text; `[TARGET]` is the reader's choice."""
    text = path.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    starts = ("snakemake ", "songnet ", "make ")
    return [shlex.split(line, comments=True) for line in lines if line.startswith(starts)]


FILES = [ROOT / "workflow/Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
RULES = {
    name
    for file in FILES
    for name in re.findall(r"^ *rule (\w+):$", file.read_text(), re.MULTILINE)
} | {f"train_{name}" for name, model in MODELS.items() if model["family"] == "baseline"}
COMMANDS = {" ".join(words): words for page in PAGES for words in commands(page)}


def test_the_recipe_packs_music_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Rock/A, B & C/one.mp3", "Rock/Ümläut/two.wav", "Folk/D/three.flac"):
        (tmp_path / "music" / name).parent.mkdir(parents=True)
        (tmp_path / "music" / name).write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    manual = (ROOT / "config/README.md").read_text()
    (recipe,) = re.findall(r"```python\n(import csv.*?)```", manual, re.DOTALL)
    exec(recipe, {})
    tracks = read_tracks("mine/fma_metadata.zip")
    assert tracks["genre"].tolist() == ["Folk", "Rock", "Rock"]
    assert tracks["artist_id"].tolist() == ["D", "A, B & C", "Ümläut"]
    assert set(tracks["subset"]) == {"small"}
    assert FmaZip(["mine/fma_small.zip"]).track_ids() == {1, 2, 3} == set(tracks.index)


def test_documents_have_commands() -> None:
    assert {"make run", "make test", "songnet serve"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("snakemake ")])
def test_snakemake_commands(command: str, tmp_path: Path) -> None:
    options = vars(snakemake.cli.get_argument_parser().parse_args(COMMANDS[command][1:]))
    named = {*options["targets"], *(options["forcerun"] or []), *(options["until"] or [])}
    assert {name for name in named if re.fullmatch(r"[a-z_]+", name)} <= RULES
    config: dict[str, object] = {}
    option = ""
    for word in COMMANDS[command]:
        if word.startswith("--"):
            option = word
        elif option == "--configfile":
            config |= read_yaml(ROOT / word)
        elif option == "--profile":
            assert (ROOT / word / "config.yaml").exists()
        elif option == "--config" and "..." not in word:
            key, _, value = word.partition("=")
            # As on the command line: lists of words.
            listed = value.startswith("[")
            config[key] = value.strip("[]").split(",") if listed else yaml.safe_load(value)
    if "archives" in config:
        config["archives"] = str(tmp_path)
        for name in ("fma_metadata.zip", "fma_small.zip", "mels-00.npz"):
            (tmp_path / name).touch()
    tables = config.get("tables", {})
    assert isinstance(tables, dict)
    for name in tables:
        (tmp_path / name).touch()
        tables[name] = str(tmp_path / name)
    checked(**config)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_brackets_are_quoted(page: Path) -> None:
    """zsh takes bare ones for patterns of file names; every shell splits at a space."""
    assert re.findall(r"(?<!')\b[a-z_]+=[\[{][^`\n]*", page.read_text()) == []


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("songnet ")])
def test_songnet_commands(command: str) -> None:
    _parser().parse_args(COMMANDS[command][1:])


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_make_commands(command: str) -> None:
    targets = re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert COMMANDS[command][1] in targets


def messages() -> list[str]:
    """What the program can say: its literal texts, with `…` for what it fills in."""

    def texts(tree: ast.AST) -> Iterator[str]:
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
                  for part in node.values}  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(getattr(part, "value", "…")) if isinstance(part, ast.Constant)
                              else "…" for part in node.values)  # fmt: skip
            elif isinstance(node, ast.Constant) and id(node) not in inside:
                yield str(node.value)

    files = sorted((ROOT / "src/songnet").rglob("*.py"))
    found = [text for file in files for text in texts(ast.parse(file.read_text()))]
    for module in (snakemake.exceptions, snakemake.cli, snakemake.workflow):
        found += texts(ast.parse(inspect.getsource(module)))
    plain = [
        *(ROOT / "src/songnet/realtime/web").rglob("*.js"),
        ROOT / "workflow/Snakefile",
        ROOT / "Makefile",
    ]
    return found + [line for file in plain for line in file.read_text().splitlines()]


def test_symptoms_are_what_the_program_says() -> None:
    """The first cells of the page on troubles, but for messages of SLURM and, after …, MLflow."""
    page = (ROOT / "docs/troubleshooting.md").read_text()
    symptoms = []
    for section in page.split("\n## "):
        others = ("Invalid account", "…") if section.startswith("MLflow") else "Invalid account"
        for cell in re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE):
            symptoms += [s for s in re.findall(r"`([^`]+)`", cell) if not s.startswith(others)]
    assert len(symptoms) > 20
    said = messages()
    for symptom in symptoms:
        pieces = [piece.strip() for piece in symptom.split("…") if piece.strip()]
        pattern = re.compile(".*".join(map(re.escape, pieces)), re.DOTALL)
        assert any(pattern.search(text) for text in said), symptom


def test_the_manual_has_every_key() -> None:
    manual = (ROOT / "config/README.md").read_text()
    for key, value in checked().items():
        inner = [f"`{key}.{name}`" for name in value] if isinstance(value, dict) else []
        assert f"`{key}`" in manual or (inner and all(name in manual for name in inner)), key
