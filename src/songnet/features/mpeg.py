"""Frame headers of MP3, walked without decoding.

A decoder that meets a damaged header, or believes a wrong one, returns less music than the file
holds and says nothing. The walk is the second source that its length is checked against.

Source: ISO/IEC 11172-3 and 13818-3; the Xing header is described in LAME's documentation.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import BinaryIO, NamedTuple

# kbit/s of Layer III by the header's four bits; 0 means free format and 15 is forbidden.
BITRATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
BITRATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
SAMPLE_RATES = (44_100, 48_000, 32_000)  # Hz, of version 1
DIVISORS = {3: 1, 2: 2, 0: 4}  # of the sample rate, by the version's two bits: 1, 2 and 2.5
HEADER_BYTES, ADTS_BYTES = 4, 7
BLOCK_BYTES = 2**18  # read at a time
FRAMES_IN_A_ROW = 3  # that chance does not bring about
XING_FRAMES = 1  # flag: the header has the number of frames


class Frame(NamedTuple):
    """What the header of a frame says."""

    length: int  # bytes, header included
    samples: int  # per channel
    sample_rate: int  # Hz
    channels: int


class Walk(NamedTuple):
    """What the frames of a file add up to."""

    seconds: float  # encoder delay and padding included
    declared_seconds: float | None  # the same, as the Xing header promises it
    sample_rate: int  # Hz
    frame_seconds: float
    end: int  # byte behind the last frame
    has_only_tags: bool  # whether nothing but tags follows that
    is_clean: bool  # frames of one format, as many as declared, and tags are all there is


@lru_cache(maxsize=4096)
def read_header(header: bytes) -> Frame | None:
    """Read the four bytes of a Layer III header; None where they are something else."""
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
    """Walk the frames of a file from its beginning, or from behind its ID3 tag.

    Returns:
        None where the file does not begin with a frame.
    """
    at = _skip_id3(file)
    first = _header_at(file, at)
    if first is None:
        return None
    declared = _xing_frames(file, at, first)
    frames, at = _count_frames(file, at, first)
    has_only_tags = at == _tags_begin(file)
    frames -= declared is not None  # the Xing header's own frame has no sound
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
    """Number of frames in a row of one format, and the place behind them."""
    lengths: dict[bytes, int] = {}  # by header; 0 of what is no frame of this format
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
    """Place behind the ID3v2 tags at the beginning, 0 without one."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(10)
        if not head.startswith(b"ID3") or len(head) < 10:
            return at
        size = 0
        for byte in head[6:10]:  # seven bits each
            size = size << 7 | byte & 0x7F
        has_footer = head[5] >> 4 & 1
        at += 10 + size + 10 * has_footer


def _tags_begin(file: BinaryIO) -> int:
    """Place of an APE tag and an ID3v1 tag at the end of the file; without them its end."""
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
    """Frames that the Xing header promises, 0 where it does not say; None without one."""
    file.seek(at)
    content = file.read(first.length)
    mark = max(content.find(b"Xing", 0, 64), content.find(b"Info", 0, 64))
    if mark < 0:
        return None
    flags = int.from_bytes(content[mark + 4 : mark + 8])
    return int.from_bytes(content[mark + 8 : mark + 12]) if flags & XING_FRAMES else 0


def is_stream(content: bytes) -> bool:
    """Whether frames of MP3 or AAC (ADTS) follow one another somewhere in some bytes."""
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
    """Bytes of an MP3 frame and its format; 0 where none begins."""
    frame = read_header(header[:HEADER_BYTES])
    return (frame.length, frame[1:]) if frame else (0, None)


def _adts(header: bytes) -> tuple[int, object]:
    """Bytes of an ADTS frame (ISO/IEC 13818-7) and its fixed header; 0 where none begins."""
    bits = int.from_bytes(header)
    is_header = bits >> 44 == 0xFFF and not bits >> 41 & 3 and bits >> 34 & 15 <= 12
    size = bits >> 13 & 0x1FFF
    return (size, bits >> 28) if len(header) == ADTS_BYTES <= size and is_header else (0, None)
