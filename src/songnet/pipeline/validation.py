"""Validation of user input with pydantic: command-line values, and one-line errors."""

import re
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from songnet.errors import SongNetError
from songnet.pipeline.yaml_files import parse_value

T = TypeVar("T")


class UnknownKeyError(ValueError):
    """A mapping has an unknown key."""

    def __init__(self, key: str, allowed: list[str]) -> None:
        super().__init__(f"is unknown (allowed: {', '.join(allowed)})")
        self.key = key


class Section(BaseModel):
    """Base of all schemas; an unknown key is an error that lists the allowed keys."""

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
        return {
            key: _as_list(_typed(value, known[key].annotation), known[key].annotation)
            for key, value in table.items()
        }


def _as_list(value: Any, annotation: Any) -> Any:
    """Wrap a single value in a list if only a list is allowed."""
    is_single = isinstance(value, str | int | float)
    return [value] if is_single and _is_list(annotation) else value


def _is_list(annotation: Any) -> bool:
    """Return whether an annotation such as ``Annotated[list[str], ...] | None`` allows a list."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return any(map(_is_list, get_args(annotation)))
    return get_origin(annotation) is list


def _typed(value: Any, annotation: Any) -> Any:
    """Convert a value that Snakemake's command line passes as text, as in ``seeds=[1,2]``."""
    if _mentions(annotation, str):  # the command line passes null as text
        return None if value in ("null", "~", "") and _mentions(annotation, NoneType) else value
    if isinstance(value, list):
        return [_typed(item, None) for item in value]
    value = parse_value(value) if isinstance(value, str) else value
    # YAML reads 7e0 as a float, but it is an integer.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _mentions(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_mentions(part, kind) for part in get_args(annotation))


def distinct(values: list[T]) -> list[T]:
    """Check that a list has no duplicates."""
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value!r} is listed twice")
    return values


def validated(validate: Callable[[Any], T], value: Any, where: str, tags: int = 0) -> T:
    """Validate a value with pydantic.

    Args:
        validate: validation method of a pydantic model or type adapter.
        value: the user's input.
        where: beginning of the error message, up to the key.
        tags: number of leading parts of pydantic's location that name the member of a union.

    Raises:
        SongNetError: one line about the first invalid key.
    """
    try:
        return validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        keys, problem = _explain(first, first.get("ctx", {}))
        key = ".".join(map(str, [*first["loc"][tags:], *keys]))
        raise SongNetError((where + key).rstrip(".") + problem) from None


def _explain(error: Any, context: dict[str, Any]) -> tuple[list[str], str]:
    """Return the key inside a mapping that pydantic rejects as a whole, and the problem."""
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
