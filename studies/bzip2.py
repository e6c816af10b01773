"""BZIP2 streams joined from compressed blocks, and zip members written without recompression."""

import zipfile
import zlib

HEADER = b"BZh9"
END = 0x177245385090  # end-of-stream marker, followed by the 32-bit checksum of the stream
MASK = (1 << 32) - 1


def join(first: bytes, second: bytes) -> bytes:
    """Join two streams into one without recompression.

    Args:
        first: stream with blocks of 900 kB, as from `bz2.compress`.
        second: stream with one block, of at most 900 kB of content.
    """
    head, length, total = _blocks(first)
    tail, more, last = _blocks(second)
    # Combine the checksums: rotate the total by one bit, then XOR the block's checksum.
    total = ((total << 1 | total >> 31) & MASK) ^ last
    value = (head << more | tail) << 80 | END << 32 | total
    bits = length + more + 80
    padding = -bits % 8
    return HEADER + (value << padding).to_bytes((bits + padding) // 8, "big")


def _blocks(stream: bytes) -> tuple[int, int, int]:
    """Return a stream's blocks as one integer, its number of bits, and the stream's checksum."""
    value, bits = int.from_bytes(stream[len(HEADER) :], "big"), 8 * (len(stream) - len(HEADER))
    for padding in range(8):
        if value >> (padding + 32) & ((1 << 48) - 1) == END:
            return value >> (padding + 80), bits - padding - 80, value >> padding & MASK
    raise ValueError("not a BZIP2 stream with blocks of 900 kB")


def write_packed(archive: zipfile.ZipFile, name: str, content: bytes, packed: bytes) -> None:
    """Add a member that is compressed already."""
    info = zipfile.ZipInfo(name)
    archive.writestr(info, packed)
    # zipfile wrote it as an uncompressed member: correct both of its headers.
    info.compress_type = zipfile.ZIP_BZIP2
    info.file_size, info.CRC = len(content), zlib.crc32(content)
    assert archive.fp is not None
    archive.fp.seek(info.header_offset)
    archive.fp.write(info.FileHeader())
    archive.fp.seek(archive.start_dir)
