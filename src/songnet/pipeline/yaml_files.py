"""YAML with two rules of version 1.2: 1e-3 is a number, and a duplicate key is an error."""

import re
from pathlib import Path
from typing import Any

import yaml

from songnet.errors import SongNetError


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: list[Any] = []
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # `<<` is handled by PyYAML
                continue
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            if key in keys:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key} is given twice", key_node.start_mark
                )
            keys.append(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file that contains one mapping.

    Raises:
        SongNetError: the file does not exist, is not valid YAML or UTF-8, or has a duplicate key.
    """
    try:
        with Path(path).open("rb") as file:
            table = yaml.load(file, _Loader)
    except FileNotFoundError:
        raise SongNetError(f"{path}: no such file") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: dates such as 2024-99-99
        raise SongNetError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(table, dict):
        raise SongNetError(f"{path}: expected keys and values, found {type(table).__name__}")
    return table


def parse_value(text: str) -> Any:
    """Parse the text of one value; text that is not valid YAML is returned unchanged."""
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError):
        return text
