"""Code behind a result: digests of source files, the commit and library versions."""

import ast
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from songnet.errors import SongNetError
from songnet.io import replacing

PACKAGE = Path(__file__).parents[1]
# What pages are made of, beside Python.
PAGE_FILES = ("report/templates/*", "realtime/web/terms.js")
LIBRARIES = [
    "av", "librosa", "mlflow", "numpy", "scikit-learn", "scipy", "snakemake", "soundfile", "soxr",
    "torch",
]  # fmt: skip


@cache
def source_digest(*files: Path, without: tuple[str, ...] = ()) -> str:
    """Return a digest of Python files, the SongNet modules they import, and their templates.

    Rules have it as a parameter, so that an edit in ``src/`` reruns only the stages that use the
    edited module. Comments, docstrings, layout and error messages do not affect the digest.

    Args:
        files: a workflow script and modules that it loads by name.
        without: SongNet modules to ignore because they do not affect the script's output, e.g.
            ``tracking.live``.

    Raises:
        ValueError: a module in ``without`` does not exist.
    """
    left_out = {_module(f"songnet.{name}") for name in without}
    if missing := [path for path in left_out if not path.exists()]:
        raise ValueError(f"no such module: {missing[0]}")
    digest = hashlib.sha256()
    before = len(_cached_facts())
    for path in sorted(_reached(files, left_out)):
        digest.update(_facts_of(path).content.encode())
    if len(_cached_facts()) > before:
        _write_cache(_cached_facts())
    return digest.hexdigest()[:16]


class _Facts(NamedTuple):
    """Digest and dependencies of a file."""

    content: str  # digest of the code, without comments and texts
    names: list[str]  # imported dotted names, and strings that may be names of page files


_FactsByDigest = dict[str, _Facts]  # keys: digests of the files' bytes


def _reached(files: Iterable[Path], without: set[Path]) -> set[Path]:
    reached: set[Path] = set()
    waiting = set(files)
    while waiting:
        path = waiting.pop()
        reached.add(path)
        waiting |= _files_of(_facts_of(path).names) - reached - without
    return reached


def _files_of(names: list[str]) -> set[Path]:
    """Return the files of the SongNet modules and templates among the names."""
    templates = {path for name, path in _page_files().items() if name in names}
    modules = {_module(name) for name in names}
    return templates | {path for path in modules if path.suffix and path.exists()}


def _facts_of(path: Path) -> _Facts:
    content, facts = _read(path), _cached_facts()
    key = hashlib.sha256(content).hexdigest()
    if key not in facts:
        facts[key] = _python_facts(content) if path.suffix == ".py" else _template_facts(content)
    return facts[key]


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes()


def _template_facts(content: bytes) -> _Facts:
    names = re.findall(r"(?:extends|import|from|read\() *['\"]([\w.]+)", content.decode())
    return _Facts(hashlib.sha256(content).hexdigest(), names)


def _python_facts(content: bytes) -> _Facts:
    tree = _tree(content)
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and re.fullmatch(r"\w+\.\w+", str(node.value)):
            names.add(str(node.value))
    return _Facts(hashlib.sha256(ast.unparse(tree).encode()).hexdigest(), sorted(names))


@cache
def _cached_facts() -> _FactsByDigest:
    """Read the cached facts of files.

    Parsing all modules takes longer than everything else that SongNet does at start-up.
    """
    try:
        found = json.loads(_cache_path().read_bytes())
        return {key: _Facts(*values) for key, values in found.items()}
    except (OSError, ValueError, TypeError):
        return {}


def _write_cache(facts: _FactsByDigest) -> None:
    # The folder may be read-only, as in a container, or the disk full.
    with suppress(OSError, SongNetError), replacing(_cache_path()) as temporary:
        temporary.write_text(json.dumps(facts))


def _cache_path() -> Path:
    """Return the path of the cache, one per Python version, since syntax trees differ."""
    version = hashlib.sha256(_read(Path(__file__))).hexdigest()[:8]
    name = f"sources.{sys.implementation.cache_tag}.{version}.json"
    return Path(__file__).with_name("__pycache__") / name


def _tree(content: bytes) -> ast.Module:
    """Parse Python without comments, docstrings and error messages."""
    tree = ast.parse(content)
    # Visit statements only: the many other nodes have no docstrings.
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
        waiting += getattr(node, "body", [])
    return _WithoutWords().visit(tree)


class _WithoutWords(ast.NodeTransformer):
    """Removes error messages."""

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        if isinstance(node.exc, ast.Call):
            node.exc.args = []
        return node


def _module(name: str) -> Path:
    """Return the file of a SongNet module; for other names, a path that does not exist."""
    package, *parts = name.split(".")
    return PACKAGE.joinpath(*parts).with_suffix(".py") if package == "songnet" and parts else Path()


@cache
def _page_files() -> dict[str, Path]:
    return {path.name: path for pattern in PAGE_FILES for path in PACKAGE.glob(pattern)}


def git_commit() -> str:
    """Return the commit of the checkout, with ``+changes`` if it is dirty.

    Outside a git repository, as in a container, return SONGNET_COMMIT or an empty string.
    """
    git = ["git", "-C", str(PACKAGE)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changes = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("SONGNET_COMMIT", "")
    return commit + ("+changes" if changes else "")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that affect results."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
