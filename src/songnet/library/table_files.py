"""Read and write library tables as Parquet, CSV or JSON Lines, row by row with constant memory."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from songnet.errors import SongNetError
from songnet.formatting import csv_row, csv_text, from_csv_text
from songnet.io import replacing
from songnet.library.columns import (
    EMBEDDING,
    FACTS,
    INTEGERS,
    NUMBERS,
    OF_GENRE,
    PLAIN,
    Row,
    plain_name,
)

ROWS = 2_000  # per Parquet row group
REPEATED = ("genre", "tag_genre", "artist", "error", "model")  # columns with few distinct values
# Parquet strings must be UTF-8, so other bytes of file names are mapped to private characters.
TO_PRIVATE = {0xDC00 + byte: 0xEF00 + byte for byte in range(0x80, 0x100)}
FROM_PRIVATE = {private: lone for lone, private in TO_PRIVATE.items()}


def kind(column: str) -> type:
    """Return the type of the values of a column."""
    name = plain_name(column)
    if name in INTEGERS:
        return int
    if name in NUMBERS:
        return float
    if name == "probability" or name.startswith(OF_GENRE):
        return np.float32
    return {"unsure": bool, EMBEDDING: np.ndarray}.get(name, str)


def read_rows(path: str | Path, columns: list[str] | None = None) -> Iterator[Row]:
    """Read a table.

    Args:
        path: path of the table; its suffix determines the format.
        columns: columns to read, where they exist; None for all.

    Raises:
        SongNetError: the file is missing or is not a table of `songnet tag`.
    """
    read = _format(path)[0]
    try:
        yield from read(Path(path), columns)
    except FileNotFoundError:
        raise SongNetError(f"{path}: no such file") from None
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException, csv.Error) as error:
        raise _not_a_table(path, error) from None


def _not_a_table(path: str | Path, error: Exception) -> SongNetError:
    return SongNetError(f"{path}: not a table of `songnet tag`: {' '.join(str(error).split())}")


def write_rows(rows: Iterable[Row], columns: list[str], path: str | Path) -> None:
    """Write a table atomically.

    Args:
        rows: rows of the table; missing values stay empty.
        columns: all columns, in order.
        path: output path; its suffix determines the format.

    Raises:
        SongNetError: the disk is full, or the suffix is not one of FORMATS.
    """
    with replacing(path) as temporary:
        _format(path)[1](rows, columns, temporary)


def read_columns(path: str | Path) -> list[str]:
    """Read the column names of a table.

    Raises:
        SongNetError: the file is not a table of `songnet tag`.
    """
    if Path(path).suffix == ".parquet":
        try:
            return list(pq.read_schema(path).names)
        except (OSError, pa.ArrowException) as error:
            raise _not_a_table(path, error) from None
    return list(next(read_rows(path), {}))


def check_format(path: str | Path) -> None:
    """Check that the suffix of a path is one of FORMATS."""
    _format(path)


def _format(path: str | Path) -> tuple[Callable[..., Iterator[Row]], Callable[..., None]]:
    suffix = Path(path).suffix
    if suffix not in FORMATS:
        raise SongNetError(f"{path}: the name of a table must end in {', '.join(FORMATS)}")
    return FORMATS[suffix]


# --- Parquet ---

ARROW = {
    int: pa.int64(), float: pa.float64(), np.float32: pa.float32(), bool: pa.bool_(),
    str: pa.string(), np.ndarray: pa.list_(pa.float32()),
}  # fmt: skip


def _read_parquet(path: Path, columns: list[str] | None) -> Iterator[Row]:
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        _check_columns(names)
        selected = [name for name in names if columns is None or name in columns]
        for batch in file.iter_batches(ROWS, columns=selected):
            lists = [_values(batch.column(name), kind(name)) for name in batch.schema.names]
            for values in zip(*lists, strict=True):
                yield dict(zip(batch.schema.names, values, strict=True))


def _values(column: Any, of: type) -> Iterable[Any]:
    if of is np.ndarray:
        return [value.values.to_numpy() if value.is_valid else None for value in column]
    values = column.to_pylist()
    if of is str:
        return [
            value.translate(FROM_PRIVATE) if isinstance(value, str) else value for value in values
        ]
    return values


def _write_parquet(rows: Iterable[Row], columns: list[str], path: Path) -> None:
    schema = pa.schema([(name, ARROW[kind(name)]) for name in columns])
    repeated = [name for name in columns if plain_name(name) in REPEATED]
    left = iter(rows)
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=repeated) as writer:
        while group := list(islice(left, ROWS)):
            arrays = [_array([row.get(name) for row in group], kind(name)) for name in columns]
            writer.write_table(pa.table(arrays, schema=schema))


def _array(values: list[Any], of: type) -> Any:
    if of is str:
        values = [value and value.translate(TO_PRIVATE) for value in values]
    return pa.array(values, ARROW[of])


# --- CSV ---


def _read_csv(path: Path, columns: list[str] | None) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        reader = csv.DictReader(file)
        names = [from_csv_text(name) for name in reader.fieldnames or []]
        _check_columns(names)
        reader.fieldnames = names
        for row in reader:
            yield {
                name: _parse(text, kind(name))
                for name, text in row.items()
                if columns is None or name in columns
            }


def _parse(text: str, of: type) -> Any:
    if text == "":
        return None
    if of is np.ndarray:
        return np.array(text.split(" "), np.float32)
    if of is bool:
        return {"true": True, "false": False}[text.lower()]  # spreadsheets write TRUE
    return from_csv_text(text) if of is str else (float if of is np.float32 else of)(text)


def _write_csv(rows: Iterable[Row], columns: list[str], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        file.write(csv_row(map(csv_text, columns)))
        for row in rows:
            file.write(csv_row(_text(row.get(name), kind(name)) for name in columns))


def _text(value: Any, of: type) -> str:
    if value is None:
        return ""
    if of is np.ndarray:
        return " ".join(map(str, np.asarray(value, np.float32)))
    if of is bool:
        return "true" if value else "false"
    return csv_text(value) if of is str else str(np.float32(value) if of is np.float32 else value)


# --- JSON lines ---


def _read_jsonl(path: Path, columns: list[str] | None) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            row = json.loads(line)
            if number == 0:
                _check_columns(row)
            if row.get(EMBEDDING) is not None:
                row[EMBEDDING] = np.array(row[EMBEDDING], np.float32)
            yield {name: row[name] for name in row if columns is None or name in columns}


def _write_jsonl(rows: Iterable[Row], columns: list[str], path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({name: _json(row.get(name)) for name in columns}) + "\n")


def _json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [float(str(number)) for number in value]
    return float(str(value)) if isinstance(value, np.float32) else value


def _check_columns(names: Iterable[str]) -> None:
    if missing := {*FACTS, *PLAIN} - set(names):
        raise ValueError(f"lacks {', '.join(sorted(missing))}")


FORMATS = {
    ".parquet": (_read_parquet, _write_parquet),
    ".csv": (_read_csv, _write_csv),
    ".jsonl": (_read_jsonl, _write_jsonl),
}
