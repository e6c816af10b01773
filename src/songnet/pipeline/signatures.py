"""What classes are called and which fields they have, read from source files.

Importing them would load torch and scikit-learn: seconds at every start of the workflow.
"""

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from songnet.errors import SongNetError


def is_defined(path: str) -> bool:
    """Whether a class can be imported, as far as the text of its module tells.

    Args:
        path: import path, e.g. ``sklearn.svm.SVC``.
    """
    module, _, name = path.rpartition(".")
    file = _module_file(module)
    if file is None or file.suffix != ".py":
        return file is not None
    names = {"*", "__getattr__", name}  # the first two may give any name
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in names:
            return True
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.Import | ast.ImportFrom) and any(
            (alias.asname or alias.name) in names for alias in node.names
        ):
            return True
    return False


def fields(path: str) -> list[str]:
    """Fields of a dataclass of SongNet, those of the classes that it extends first.

    Args:
        path: import path, e.g. ``songnet.training.loop.TrainingConfig``.
    """
    return [
        statement.target.id
        for _, node in reversed(_lineage(path))
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and "ClassVar" not in ast.unparse(statement.annotation)
    ]


def config_of(network: str) -> str | None:
    """Import path of the ``Config`` that a network of SongNet names, or inherits; None if unknown.

    Args:
        network: import path, e.g. ``songnet.models.crnn.CRNN``.
    """
    for module, node in _lineage(network):
        for statement in node.body:
            targets = getattr(statement, "targets", [getattr(statement, "target", None)])
            value = getattr(statement, "value", None)
            if "Config" in [target.id for target in targets if isinstance(target, ast.Name)]:
                return f"{module}.{value.id}" if isinstance(value, ast.Name) else None
    return None


def _lineage(path: str) -> list[tuple[str, ast.ClassDef]]:
    """A class of SongNet and those that it extends, each with its module."""
    module, _, name = path.rpartition(".")
    file = _module_file(module) if module.startswith("songnet.") else None
    if file is None:
        return []
    for node in _tree(file).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            bases = [f"{module}.{base.id}" for base in node.bases if isinstance(base, ast.Name)]
            return [(module, node), *(pair for base in bases for pair in _lineage(base))]
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _lineage(f"{node.module}.{alias.name}")
    return []


def _module_file(module: str) -> Path | None:
    """File of a module; None if there is none."""
    package, *parts = module.split(".")
    spec = find_spec(package) if package else None  # imports nothing: a package, not what is in it
    if spec is None or spec.origin is None:
        return None
    if not parts:
        return Path(spec.origin)
    folder = Path(spec.origin).parent.joinpath(*parts)
    compiled = folder.parent.glob(f"{folder.name}.*.so")
    files = [folder.with_suffix(".py"), folder / "__init__.py", *compiled]
    return next((file for file in files if file.exists()), None)


@cache
def _tree(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes())
    except SyntaxError as error:  # also of bytes that are not UTF-8
        raise SongNetError(f"{file}, line {error.lineno or 1}: {error.msg}") from None
