"""Which code made a result: digests of source files, the commit, the versions."""

import ast
import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parent
LIBRARIES = [
    "mlflow", "numpy", "scikit-learn", "scipy", "snakemake", "soundfile", "soxr", "torch",
]  # fmt: skip


def source_digest(*files: Path) -> str:
    """Digest of Python files and of every SongNet module that they reach by imports.

    Rules carry it as a parameter, so that an edit in ``src/`` reruns the stages that use the
    edited module and no others.

    Args:
        files: a workflow script, and modules that it imports by name.
    """
    digest = hashlib.sha256()
    for path in sorted(_reached(files)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _reached(files: Iterable[Path]) -> set[Path]:
    reached: set[Path] = set()
    waiting = set(files)
    while waiting:
        path = waiting.pop()
        reached.add(path)
        waiting |= _imports(path) - reached
    return reached


@cache
def _imports(path: Path) -> frozenset[Path]:
    """Files of the SongNet modules that one file imports, anywhere in it; pages' templates too."""
    if path.suffix != ".py":
        return frozenset()
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".")[1:] for name in names if name.startswith("songnet.")]
    files = [PACKAGE.joinpath(*part).with_suffix(".py") for part in parts]
    if "songnet.pages" in names:
        files += PACKAGE.glob("templates/*")
    return frozenset(file for file in files if file.exists())


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
