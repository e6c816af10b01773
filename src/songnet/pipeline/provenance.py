"""Which code made a result: digests of source files, the commit, the versions."""

import ast
import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
TEMPLATES = PACKAGE / "report" / "templates"
LIBRARIES = [
    "av", "librosa", "mlflow", "numpy", "scikit-learn", "scipy", "snakemake", "soundfile", "soxr",
    "torch",
]  # fmt: skip


@cache
def source_digest(*files: Path, without: tuple[str, ...] = ()) -> str:
    """Digest of Python files, of every SongNet module that they reach by imports, and of templates.

    Rules carry it as a parameter, so that an edit in ``src/`` reruns the stages that use the
    edited module and no others. Comments, docstrings, layout and the words of errors do not count.

    Args:
        files: a workflow script, and modules that it imports by name.
        without: SongNet's modules that shape nothing of what the script makes, e.g.
            ``tracking.live``.

    Raises:
        ValueError: there is no module of a name in ``without``.
    """
    left_out = {_module(f"songnet.{name}") for name in without}
    if missing := [path for path in left_out if not path.exists()]:
        raise ValueError(f"no such module: {missing[0]}")
    digest = hashlib.sha256()
    for path in sorted(_reached(files, left_out)):
        digest.update(_content(path))
    return digest.hexdigest()[:16]


def _reached(files: Iterable[Path], without: set[Path]) -> set[Path]:
    reached: set[Path] = set()
    waiting = set(files)
    while waiting:
        path = waiting.pop()
        reached.add(path)
        waiting |= _used(path) - reached - without
    return reached


@cache
def _content(path: Path) -> bytes:
    """What a file does."""
    return ast.unparse(_tree(path)).encode() if path.suffix == ".py" else path.read_bytes()


@cache
def _tree(path: Path) -> ast.Module:
    """Python without docstrings, the words of errors and, as always, without comments."""
    tree = ast.parse(path.read_bytes())
    # Statements alone: other nodes are many, and have none.
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
    """Drops what errors say."""

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        if isinstance(node.exc, ast.Call):
            node.exc.args = []
        return node


@cache
def _used(path: Path) -> frozenset[Path]:
    """Files of the SongNet modules that a file imports, and of templates that it names."""
    if path.suffix != ".py":
        names = re.findall(
            r"(?:extends|import|from|read\() *['\"]([\w.]+)", path.read_text("utf-8")
        )
        return frozenset(TEMPLATES / name for name in names)
    used = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            used |= {_module(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            used.add(_module(node.module))
            used |= {_module(f"{node.module}.{alias.name}") for alias in node.names}
        elif isinstance(node, ast.Constant) and node.value in _templates():
            used.add(TEMPLATES / str(node.value))
    return frozenset(file for file in used if file.suffix and file.exists())


def _module(name: str) -> Path:
    """File of a module of SongNet; of another one, none that exists."""
    package, *parts = name.split(".")
    return PACKAGE.joinpath(*parts).with_suffix(".py") if package == "songnet" and parts else Path()


@cache
def _templates() -> frozenset[str]:
    return frozenset(path.name for path in TEMPLATES.iterdir())


def git_commit() -> str:
    """Return the checkout's commit, with ``+changes`` where it is dirty.

    Outside git, what SONGNET_COMMIT says, as in a container; or nothing.
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
    """Versions of Python and of the libraries that shape the figures."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
