"""Imports only point downwards: a package may import those below it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src/songnet"
# From bottom to top. Packages on one line may not import one another.
LAYERS = [
    {"errors", "colours", "defaults", "formatting", "parallel"},
    {"io"},
    {"features"},
    {"data"},
    {"models", "demo"},
    {"training"},
    {"evaluation"},
    {"realtime", "report"},
    {"library"},
    {"tracking"},
    {"pipeline"},
    {"commands"},
    {"cli"},
]


def layer(module: str) -> int:
    """Return the position of a module, e.g. ``songnet.data.shards``, in LAYERS."""
    (found,) = [i for i, names in enumerate(LAYERS) if module.split(".")[1] in names]
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_imports_point_downwards(path: Path) -> None:
    if path.name == "__init__.py":
        return
    own = ".".join(["songnet", *path.relative_to(PACKAGE).with_suffix("").parts])
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module == "songnet":
            names = [f"songnet.{alias.name}" for alias in node.names if alias.name[0] != "_"]
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("songnet."):
            names = [str(node.module)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("songnet.")]
        for name in names:
            same_package = name.split(".")[1] == own.split(".")[1]
            assert same_package or layer(name) < layer(own), f"{own} imports {name}"
