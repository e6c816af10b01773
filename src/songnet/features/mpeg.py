"""Walk the frame headers of an MP3 file without decoding it.

A decoder that meets a damaged or wrong header may silently return less audio than the file holds,
so the decoded length is compared with that of the frames.

Source: ISO/IEC 11172-3 and 13818-3; LAME's documentation describes the Xing header.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import BinaryIO, NamedTuple

# Bit rates of Layer III in kbit/s, by the four-bit index; 0 means free format and 15 is forbidden.
BITRATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
BITRATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
SAMPLE_RATES = (44_100, 48_000, 32_000)  # Hz, for version 1
DIVISORS = {3: 1, 2: 2, 0: 4}  # of the sample rate, by the version bits for versions 1, 2 and 2.5
HEADER_BYTES, ADTS_BYTES = 4, 7
BLOCK_BYTES = 2**18  # read at a time
FRAMES_IN_A_ROW = 3  # too many to occur by chance
XING_FRAMES = 1  # flag: the Xing header contains the number of frames


class Frame(NamedTuple):
    """Contents of a frame header."""

    length: int  # bytes, including the header
    samples: int  # per channel
    sample_rate: int  # Hz
    channels: int


class Walk(NamedTuple):
    """Result of walking the frames of a file."""

    seconds: float  # including encoder delay and padding
    declared_seconds: float | None  # length according to the Xing header
    sample_rate: int  # Hz
    frame_seconds: float
    end: int  # byte offset after the last frame
    has_only_tags: bool  # whether only tags follow the last frame
    is_clean: bool  # whether the file consists of the declared frames, of one format, and tags


@lru_cache(maxsize=4096)
def read_header(header: bytes) -> Frame | None:
    """Read the four bytes of a Layer III header; None for any other bytes."""
    bits = int.from_bytes(header)
    divisor = DIVISORS.get(bits >> 19 & 3)
    bitrate, rate = bits >> 12 & 15, bits >> 10 & 3
    is_layer_3 = len(header) == HEADER_BYTES and bits >> 21 == 0x7FF and bits >> 17 & 3 == 1
    if not is_layer_3 or divisor is None or bitrate in (0, 15) or rate == 3:
        return None
    samples, bitrates = (1152, BITRATES_1) if divisor == 1 else (576, BITRATES_2)
    sample_rate = SAMPLE_RATES[rate] // divisor
    length = samples // 8 * 1000 * bitrates[bitrate] // sample_rate + (bits >> 9 & 1)
    return Frame(length, samples, sample_rate, 1 if bits >> 6 & 3 == 3 else 2)


def walk(file: BinaryIO) -> Walk | None:
    """Walk the frames of a file, starting after its ID3 tags.

    Returns:
        None if the file does not begin with a frame.
    """
    at = _skip_id3(file)
    first = _header_at(file, at)
    if first is None:
        return None
    declared = _xing_frames(file, at, first)
    frames, at = _count_frames(file, at, first)
    has_only_tags = at == _tags_begin(file)
    frames -= declared is not None  # the frame of the Xing header contains no audio
    frame_seconds = first.samples / first.sample_rate
    return Walk(
        frames * frame_seconds,
        declared * frame_seconds if declared else None,
        first.sample_rate,
        frame_seconds,
        at,
        has_only_tags,
        has_only_tags and declared in (None, frames),
    )


def _count_frames(file: BinaryIO, at: int, first: Frame) -> tuple[int, int]:
    """Count consecutive frames of one format, and return the offset after them, too."""
    lengths: dict[bytes, int] = {}  # by header; 0 if it is not a frame of this format
    frames, begin, block = 0, at, b""
    while True:
        header = block[at - begin : at - begin + HEADER_BYTES]
        if len(header) < HEADER_BYTES:
            file.seek(at)
            begin, block = at, file.read(BLOCK_BYTES)
            header = block[:HEADER_BYTES]
        length = lengths.get(header)
        if length is None:
            frame = read_header(header)
            length = lengths[header] = frame.length if frame and frame[1:] == first[1:] else 0
        if not length:
            return frames, at
        frames += 1
        at += length


def _header_at(file: BinaryIO, at: int) -> Frame | None:
    file.seek(at)
    return read_header(file.read(HEADER_BYTES))


def _skip_id3(file: BinaryIO) -> int:
    """Return the offset after the ID3v2 tags at the beginning of a file."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(10)
        if not head.startswith(b"ID3") or len(head) < 10:
            return at
        size = 0
        for byte in head[6:10]:  # a synchsafe integer: seven bits per byte
            size = size << 7 | byte & 0x7F
        has_footer = head[5] >> 4 & 1
        at += 10 + size + 10 * has_footer


def _tags_begin(file: BinaryIO) -> int:
    """Return the offset of the APE and ID3v1 tags at the end of a file, or the end itself."""
    at = file.seek(0, 2)
    file.seek(max(0, at - 128))
    if file.read(3) == b"TAG":
        at -= 128
    file.seek(max(0, at - 32))
    footer = file.read(32)
    if footer.startswith(b"APETAGEX"):
        has_header = footer[23] >> 7
        at -= int.from_bytes(footer[12:16], "little") + 32 * has_header
    return at


def _xing_frames(file: BinaryIO, at: int, first: Frame) -> int | None:
    """Return the frame count of the Xing header; 0 if it has none, None without a header."""
    file.seek(at)
    content = file.read(first.length)
    mark = max(content.find(b"Xing", 0, 64), content.find(b"Info", 0, 64))
    if mark < 0:
        return None
    flags = int.from_bytes(content[mark + 4 : mark + 8])
    return int.from_bytes(content[mark + 8 : mark + 12]) if flags & XING_FRAMES else 0


def is_stream(content: bytes) -> bool:
    """Return whether bytes contain consecutive frames of MP3 or AAC (ADTS)."""
    starts = (at for at, byte in enumerate(content) if byte == 0xFF)
    return any(_follow(content, at, read) for at in starts for read in (_mp3, _adts))


def _follow(content: bytes, at: int, read: Callable[[bytes], tuple[int, object]]) -> bool:
    kinds = set()
    for _ in range(FRAMES_IN_A_ROW):
        size, kind = read(content[at : at + ADTS_BYTES])
        kinds.add(kind)
        if not size or len(kinds) > 1:
            return False
        at += size
    return True


def _mp3(header: bytes) -> tuple[int, object]:
    """Return the length in bytes and the format of an MP3 frame; length 0 if it is none."""
    frame = read_header(header[:HEADER_BYTES])
    return (frame.length, frame[1:]) if frame else (0, None)


def _adts(header: bytes) -> tuple[int, object]:
    """Return the length and fixed header of an ADTS frame (ISO/IEC 13818-7), as `_mp3` does."""
    bits = int.from_bytes(header)
    is_header = bits >> 44 == 0xFFF and not bits >> 41 & 3 and bits >> 34 & 15 <= 12
    size = bits >> 13 & 0x1FFF
    return (size, bits >> 28) if len(header) == ADTS_BYTES <= size and is_header else (0, None)
