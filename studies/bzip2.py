"""BZIP2 streams and zip members made of others' blocks, so that nothing is packed twice."""

import zipfile
import zlib

HEADER = b"BZh9"
END = 0x177245385090  # stands before the sum of the whole stream, 32 bits
MASK = (1 << 32) - 1


def join(first: bytes, second: bytes) -> bytes:
    """One stream of the contents of two.

    Args:
        first: a stream of blocks of 900 kB, as `bz2.compress` makes it.
        second: a stream of one block, so of at most 900 kB.
    """
    head, length, total = _blocks(first)
    tail, more, last = _blocks(second)
    # The sum of all blocks: turned by a bit for each, and the block's own added.
    total = ((total << 1 | total >> 31) & MASK) ^ last
    value = (head << more | tail) << 80 | END << 32 | total
    bits = length + more + 80
    padding = -bits % 8
    return HEADER + (value << padding).to_bytes((bits + padding) // 8, "big")


def _blocks(stream: bytes) -> tuple[int, int, int]:
    """Blocks of a stream as one number, its bits, and the sum of the whole."""
    value, bits = int.from_bytes(stream[len(HEADER) :], "big"), 8 * (len(stream) - len(HEADER))
    for padding in range(8):
        if value >> (padding + 32) & ((1 << 48) - 1) == END:
            return value >> (padding + 80), bits - padding - 80, value >> padding & MASK
    raise ValueError("no BZIP2 stream of blocks of 900 kB")


def write_packed(archive: zipfile.ZipFile, name: str, content: bytes, packed: bytes) -> None:
    """Add a member that is packed already."""
    info = zipfile.ZipInfo(name)
    archive.writestr(info, packed)
    # zipfile took it for a stored one: both of its entries are corrected.
    info.compress_type = zipfile.ZIP_BZIP2
    info.file_size, info.CRC = len(content), zlib.crc32(content)
    assert archive.fp is not None
    archive.fp.seek(info.header_offset)
    archive.fp.write(info.FileHeader())
    archive.fp.seek(archive.start_dir)
