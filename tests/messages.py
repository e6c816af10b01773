"""What the program can say, read from its code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.configured import ROOT

SAYING = {"debug", "info", "warning", "error", "exception", "print", "add_argument", "add_parser",
          "add_argument_group", "ArgumentParser"}  # fmt: skip


class Message(NamedTuple):
    """A text for users; `…` stands for what the program fills in."""

    where: str  # file and line
    kind: str  # error, help or log
    text: str


def text_of(node: ast.expr) -> str | None:
    """Text of a literal, an f-string or a sum of them; None of anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…"
                       for part in node.values)  # fmt: skip
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [text_of(node.left), text_of(node.right)]
        return "".join(part or "…" for part in parts) if any(parts) else None
    return None


def messages() -> list[Message]:
    """Texts of errors, of the command line's help, and of lines that are printed or logged."""
    return [message for file in sorted((ROOT / "src/songnet").rglob("*.py"))
            for message in messages_of(file)]  # fmt: skip


def messages_of(file: Path) -> Iterator[Message]:
    """Read the messages of a module."""
    tree = ast.parse(file.read_text())
    name = file.relative_to(ROOT)
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found, kind = node.exc.args, "error"
        elif isinstance(node, ast.Call) and _called(node) in SAYING:
            keywords = [word.value for word in node.keywords
                        if word.arg in ("help", "description", "epilog")]  # fmt: skip
            found, kind = [*node.args, *keywords], "help" if keywords else "log"
        else:
            continue
        for text in filter(None, map(text_of, found)):
            if re.search(r"[a-z] [a-z…{]|[a-z]: ", text):  # words, not a name or a pattern
                yield Message(f"{name}:{node.lineno}", kind, text)


def _called(node: ast.Call) -> str:
    return str(getattr(node.func, "attr", "") or getattr(node.func, "id", ""))
