"""Commands and messages in the documents exist; the workflow's tests run such commands."""

import ast
import importlib.util
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import snakemake.cli
import snakemake.exceptions
import snakemake.workflow
import yaml

from songnet.cli import make_parser
from songnet.data.songs import list_songs
from songnet.pipeline.yaml_files import read_yaml
from tests.configured import MODELS, ROOT, checked

PAGES = [ROOT / "README.md", ROOT / "config/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = ("config", "results", "studies", "benchmarks", "tests/faults")
OUTSIDE = [*ROOT.glob("*.md"), *(page for name in FOLDERS for page in (ROOT / name).glob("*.md"))]


def commands(path: Path) -> list[list[str]]:
    """Return commands as words, from code blocks and inline code; `[TARGET]` is left out."""
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
FREE = ("spectrogram", "tables")  # keys whose inner keys are not fixed
COMMANDS = {" ".join(words): words for page in PAGES for words in commands(page)}


def test_own_music_page_recipe_writes_gtzan_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i, genre in enumerate(["blues", "jazz"] * 4):
        path = tmp_path / f"genres/{genre}/{genre}.{i:05d}.au"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    lists = {"train": "01", "valid": "23", "test": "45"}
    for split, numbers in lists.items():
        songs = [f"{g}/{g}.0000{i}.wav" for i in numbers for g in ("blues", "jazz")]
        (tmp_path / f"{split}_filtered.txt").write_text("\n".join(songs) + "\n")
    monkeypatch.chdir(tmp_path)
    manual = (ROOT / "docs/tutorials/own-music.md").read_text()
    (recipe,) = re.findall(r"```python\n(from pathlib.*?)```", manual, re.DOTALL)
    exec(recipe, {})
    songs = list_songs("genres", None, None)
    assert songs["genre"].tolist() == ["blues"] * 4 + ["jazz"] * 4
    found = ["train", "valid", "test", None]
    assert songs["split"].astype(object).where(songs["split"].notna(), None).tolist() == 2 * found
    assert songs["problem"].isna().all()


@pytest.fixture(scope="module")
def hooks() -> Any:
    """Load the hooks that generate parts of the site."""
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs/hooks.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_commands_finds_commands_of_documents() -> None:
    assert {"make run", "make test", "songnet serve"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("snakemake ")])
def test_documents_snakemake_commands_are_valid(command: str, tmp_path: Path) -> None:
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
            # Lists are lists of strings, as on the command line.
            listed = value.startswith("[")
            config[key] = value.strip("[]").split(",") if listed else yaml.safe_load(value)
    if "archives" in config:
        config["archives"] = str(tmp_path)
        for name in ("fma_metadata.zip", "fma_small.zip", "mels-00.npz"):
            (tmp_path / name).touch()
    if "audio" in config:
        config["audio"] = str(tmp_path)
    tables = config.get("tables", {})
    assert isinstance(tables, dict)
    for name in tables:
        (tmp_path / name).touch()
        tables[name] = str(tmp_path / name)
    checked(**config)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_documents_quote_brackets(page: Path) -> None:
    """zsh expands unquoted brackets as glob patterns, and every shell splits at spaces."""
    assert re.findall(r"(?<!')\b[a-z_]+=[\[{][^`\n]*", page.read_text()) == []


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("songnet ")])
def test_documents_songnet_commands_are_valid(command: str) -> None:
    make_parser().parse_args(COMMANDS[command][1:])


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_documents_make_targets_exist(command: str) -> None:
    targets = re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert COMMANDS[command][1] in targets


def messages() -> list[str]:
    """Return all literal texts of the program, with `…` for inserted values."""

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


def test_troubleshooting_page_quotes_messages() -> None:
    """Messages in the troubleshooting tables exist in the code, except SLURM's and MLflow's."""
    page = (ROOT / "docs/how-to/troubleshooting.md").read_text()
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


def test_configuration_page_explains_every_key(hooks: Any) -> None:
    table = hooks.part("keys")
    for key, value in checked().items():
        (row,) = re.findall(rf"^\| `{key}` \|.*\| (.+) \|$", table, re.MULTILINE)
        assert len(row.split()) > 3, key
        for inner in value if isinstance(value, dict) and key not in FREE else ():
            assert f"| `{key}.{inner}` |" in table


def test_configuration_page_has_defaults_and_limits(hooks: Any) -> None:
    table = hooks.part("keys")
    assert re.search(r"`evaluation.resamples` \| `2000` \| integer ≥ 100 ≤ 100000 \|", table)
    assert re.search(r"`protocols` \|.*<br>`official`: ", table)


def test_command_line_page_has_every_command(hooks: Any) -> None:
    commands = hooks.part("commands")
    assert {"classify", "tag", "serve"} <= set(re.findall(r"^### songnet (\w+)$", commands, re.M))
    assert "--from-file LIST" in commands


def test_site_builds_strictly_and_fetches_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # Nothing is fetched from other hosts, search included.
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|iframe|link rel=.stylesheet.)[^>]*https?:", page.read_text()
        )
        assert loaded == [], page
    assert (tmp_path / "search/search_index.js").exists()


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as MkDocs and git hosts generate them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"[\s-]+", "-", heading) for heading in plain}


@pytest.mark.parametrize("page", OUTSIDE, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_outside_site_have_targets(page: Path) -> None:
    found = re.findall(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"", page.read_text())
    for link in filter(None, (a or b for a, b in found)):
        if link.startswith(("http", "../../")):  # `../../` are pages of the git host itself
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
