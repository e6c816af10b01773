"""Read TensorFlow checkpoints (version 2) without TensorFlow.

The index is a LevelDB table (google/leveldb, doc/table_format.md) whose values are TensorFlow's
BundleEntryProto messages (tensor_bundle.proto). The data file holds the bytes of the tensors.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOOTER = 48  # bytes at the end of a table
MAGIC = 0xDB4775248B80FB57
FLOAT = 1  # DT_FLOAT


def read_checkpoint(prefix: str | Path) -> dict[str, NDArray[np.float32]]:
    """Read all float32 tensors of a checkpoint with one shard.

    Args:
        prefix: path of the files without ``.index`` and ``.data-00000-of-00001``.

    Raises:
        ValueError: the files are not such a checkpoint.
    """
    index = Path(f"{prefix}.index").read_bytes()
    data = Path(f"{prefix}.data-00000-of-00001").read_bytes()
    tensors = {}
    for name, entry in _table(index):
        fields: dict[int, Any] = dict(_fields(entry))
        if name and fields.get(1) == FLOAT:
            shape = [dict(_fields(dim)).get(1, 0) for tag, dim in _fields(fields[2]) if tag == 2]
            start, size = fields.get(4, 0), fields[5]
            values = np.frombuffer(data[start : start + size], "<f4")
            tensors[name.decode()] = values.reshape(shape)
    return tensors


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a table."""
    footer = content[-FOOTER:]
    if len(footer) < FOOTER or int.from_bytes(footer[-8:], "little") != MAGIC:
        raise ValueError("not the index of a TensorFlow checkpoint")
    at = 0
    numbers = []  # offset and size of the meta-index, then of the index
    for _ in range(4):
        number, at = _varint(footer, at)
        numbers.append(number)
    for _, handle in _block(content, *numbers[2:]):
        offset, at = _varint(handle, 0)
        size, _ = _varint(handle, at)
        yield from _block(content, offset, size)


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the entries of a block, whose keys share a prefix with the previous key."""
    if content[offset + size]:
        raise ValueError("the index of the checkpoint is compressed")
    block = content[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the field numbers and values (integers or bytes) of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value: Any
        if tag & 7 == 0:
            value, at = _varint(message, at)
        elif tag & 7 == 2:
            length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        else:  # fixed32: a checksum
            value, at = message[at : at + 4], at + 4
        yield tag >> 3, value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Read a variable-length integer, and return it with the offset after it."""
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
