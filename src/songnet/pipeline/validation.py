"""Pydantic for what users write: values from the command line, and errors on one line."""

import re
from collections.abc import Callable
from types import NoneType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from songnet.errors import SongNetError
from songnet.pipeline.yaml_files import parse_value

T = TypeVar("T")


class UnknownKeyError(ValueError):
    """A table has a key that is not allowed there."""

    def __init__(self, key: str, allowed: list[str]) -> None:
        super().__init__(f"is unknown (allowed: {', '.join(allowed)})")
        self.key = key


class Section(BaseModel):
    """Keys and values; an unknown key is an error that names the allowed ones."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _prepare(cls, table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        known = cls.model_fields
        for key in table:
            if key not in known:
                raise UnknownKeyError(str(key), list(known))
        return {key: _typed(value, known[key].annotation) for key, value in table.items()}


def _typed(value: Any, annotation: Any) -> Any:
    """Type a value that Snakemake's command line gives as text, as inside ``seeds=[1,2]``."""
    if _mentions(annotation, str):  # the command line has no other word for null
        return None if value in ("null", "~", "") and _mentions(annotation, NoneType) else value
    if isinstance(value, list):
        return [_typed(item, None) for item in value]
    value = parse_value(value) if isinstance(value, str) else value
    # 7e0 is a whole number.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _mentions(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_mentions(part, kind) for part in get_args(annotation))


def distinct(values: list[T]) -> list[T]:
    """Check that no value is given twice in a list."""
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value!r} is listed twice")
    return values


def validated(validate: Callable[[Any], T], value: Any, where: str, tags: int = 0) -> T:
    """Validate a value by pydantic.

    Args:
        validate: of a pydantic model or type adapter.
        value: what a user wrote.
        where: what the error begins with, up to the key.
        tags: number of parts by which pydantic names the member of a union before the key.

    Raises:
        SongNetError: of the first wrong key, on one line.
    """
    try:
        return validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        keys, problem = _explain(first, first.get("ctx", {}))
        key = ".".join(map(str, [*first["loc"][tags:], *keys]))
        raise SongNetError((where + key).rstrip(".") + problem) from None


def _explain(error: Any, context: dict[str, Any]) -> tuple[list[str], str]:
    """Key of a table that pydantic blames as a whole, and what is wrong."""
    match error["type"]:
        case "missing":
            return [], " is required"
        case "union_tag_not_found":
            return [context["discriminator"].strip("'")], " is required"
        case "union_tag_invalid":
            problem = f": must be one of {context['expected_tags']}, got {context['tag']!r}"
            return [context["discriminator"].strip("'")], problem
        case "value_error" if isinstance(context["error"], UnknownKeyError):
            return [context["error"].key], f" {context['error']}"
        case "value_error":
            return [], f": {context['error']}"
    text = re.sub(r"^\w+ should ", "must ", error["msg"])
    text = re.sub(r"a valid dictionary.*", "keys and values", text)
    return [], f": {re.sub(r' after validation.*', '', text)}, got {error['input']!r}"
