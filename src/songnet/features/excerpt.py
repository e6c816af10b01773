"""Decode the middle of an audio file, sample-exact with decoding the whole file.

Decoders seek, so the cost depends on the length of the excerpt and not of the song. If a file has
no index to seek by, or holds less audio than it declares, its packets are counted without decoding
them. If that also fails, the whole file is decoded.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

import av
import numpy as np

from songnet.errors import UnusableClipError
from songnet.features import mpeg
from songnet.features.audio import (
    SHORTFALL_SECONDS,
    WITHOUT_LENGTH,
    Clip,
    Samples,
    at_rate,
    average_channels,
    check_format,
    check_samples,
    declared_seconds,
    decode_blocks,
    decoded_frames,
    is_as_long,
    open_container,
    open_mp3,
    promised_share,
)

PREROLL_SECONDS = 0.5  # decoded before an excerpt, since frames depend on previous ones
SHORT_SECONDS = 2.0  # files that exceed the excerpt by less than this are decoded completely
KEPT_SECONDS = 120.0  # longer files that need complete decoding are decoded twice, to save memory


@dataclass(frozen=True)
class Excerpt:
    """Part of a file."""

    clip: Clip
    start_seconds: float
    total_seconds: float  # length of the file


def middle(file: BinaryIO, seconds: float) -> Excerpt:
    """Decode the middle of an audio file, or all of it if it is shorter.

    Args:
        file: seekable binary file.
        seconds: length of the excerpt.

    Raises:
        UnusableClipError: as in `songnet.features.audio.decode_blocks`.
        OSError: the file cannot be read.
    """
    if not file.seek(0, io.SEEK_END):
        raise UnusableClipError("empty file")
    walk = mpeg.walk(file)
    for attempt in (_by_libsndfile, _by_index, _by_packets):
        excerpt = attempt(file, walk, seconds)
        if excerpt is not None:
            check_samples(excerpt.clip.samples)
            return excerpt
    return _by_decoding(file, seconds)


def _span(total: float, seconds: float) -> tuple[float, float]:
    """Return the start and length of the middle, in the unit of the arguments."""
    length = min(total, seconds)
    return (total - length) / 2, length


def _by_libsndfile(file: BinaryIO, walk: mpeg.Walk | None, seconds: float) -> Excerpt | None:
    """Seek in a clean MP3 with libsndfile, which counts its frames exactly."""
    sound = open_mp3(file) if walk and walk.is_clean else None
    if sound is None or walk is None:
        return None
    with sound:
        rate = sound.samplerate
        check_format(rate, sound.channels)
        if walk.declared_seconds is None:  # libsndfile only estimates the number of samples
            total = round(walk.seconds * rate)
        elif is_as_long(sound, walk):
            total = sound.frames
        else:
            return None
        start, count = map(int, _span(total, int(seconds * rate)))
        before = min(start, int(PREROLL_SECONDS * rate))
        sound.seek(start - before)
        samples = average_channels(sound.read(before + count, dtype="float32"))[before:]
        if len(samples) < count:
            return None
        return Excerpt(Clip(samples, rate, sound.channels), start / rate, total / rate)


def _by_index(file: BinaryIO, walk: mpeg.Walk | None, seconds: float) -> Excerpt | None:
    """Seek with FFmpeg by the index or timestamps of a file; None if it has neither."""
    with open_container(file) as container:
        total = declared_seconds(container, walk)
        if container.format.name in WITHOUT_LENGTH or total < seconds + SHORT_SECONDS:
            return None
        first = _first_frame(container)
        if first is None or not _reaches(container, first.pts, total):
            return None
        stream = container.streams.best("audio")
        start, length = _span(total, seconds)
        position = first.pts + int((start - PREROLL_SECONDS) / stream.time_base)
        try:
            container.seek(max(position, first.pts), stream=stream)
        except av.FFmpegError:
            return None
        lost = total * (promised_share(file) - 1)
        clip = _cut(container, first.pts, start, length, lost=lost)
        return Excerpt(clip, start, total) if clip else None


def _by_packets(file: BinaryIO, walk: mpeg.Walk | None, seconds: float) -> Excerpt | None:
    """Count packets, then decode those of the middle; None if their times are unknown."""
    with open_container(file) as container:
        promised = declared_seconds(container, walk)
        first = _first_frame(container)
        end = _end_of_packets(container)
        if first is None or end is None:
            return None
        unit = container.streams.best("audio").time_base
        total = float((end - first.pts) * unit)
    if total < seconds + SHORT_SECONDS:
        return None
    start, length = _span(total, seconds)
    lost = promised - total if promised - total > SHORTFALL_SECONDS else 0.0
    with open_container(file) as container:
        begin = first.pts + int((start - PREROLL_SECONDS) / unit)
        clip = _cut(container, first.pts, start, length, begin, lost)
        return Excerpt(clip, start, total) if clip else None


def _by_decoding(file: BinaryIO, seconds: float) -> Excerpt:
    """Decode the whole file, and a second time if it is too long to be kept in memory."""
    kept: list[Samples] = []
    count, lost = 0, 0.0
    for block in decode_blocks(file):
        rate, channels = block.sample_rate, block.channels
        count, lost = count + len(block.samples), lost + block.lost_seconds
        if count <= KEPT_SECONDS * rate:
            kept.append(block.samples)
    start, length = map(int, _span(count, int(seconds * rate)))
    long = count > KEPT_SECONDS * rate
    pieces = (block.samples for block in decode_blocks(file)) if long else iter(kept)
    samples = _taken(pieces, start, length)
    return Excerpt(Clip(samples, rate, channels, lost), start / rate, count / rate)


def _first_frame(container: Any) -> Any:
    """Return the first decodable frame, or None if it has no timestamp."""
    first = next(decoded_frames(container, {"decoded": 0, "lost": 0}), None)
    return first if first is not None and first.pts is not None else None


def _reaches(container: Any, first: int, total: float) -> bool:
    """Return whether the packets of a file reach its declared end; a broken download lacks some."""
    stream = container.streams.best("audio")
    unit = stream.time_base
    try:
        container.seek(first + int(max(0, total - PREROLL_SECONDS) / unit), stream=stream)
        ends = [p.pts + (p.duration or 0) for p in container.demux(stream) if p.pts is not None]
    except av.FFmpegError:
        return False
    return bool(ends) and float((max(ends) - first) * unit) > total - SHORTFALL_SECONDS


def _end_of_packets(container: Any) -> int | None:
    """Return the end of the last packet, in the stream's unit.

    None if packets are out of order, as in files with several chained streams.
    """
    end: int | None = None
    try:
        for packet in container.demux(container.streams.best("audio")):
            if packet.pts is not None and packet.duration:
                if end is not None and packet.pts + packet.duration < end:
                    return None
                end = packet.pts + packet.duration
    except av.FFmpegError:
        return None
    return end


def _cut(
    container: Any, origin: int, start: float, length: float, begin: float = -np.inf,
    lost: float = 0.0,
) -> Clip | None:  # fmt: skip
    """Decode from the current position of a container, and cut out an excerpt.

    Args:
        container: file at a position before the excerpt.
        origin: time of the file's first sample, in the stream's unit.
        start: start of the excerpt in seconds from the first sample.
        length: length of the excerpt in seconds.
        begin: as for `decoded_frames`.
        lost: seconds of the file that are known to be lost.

    Returns:
        The excerpt, or None if part of it is missing.
    """
    sizes = {"decoded": 0, "lost": 0}
    frames = decoded_frames(container, sizes, begin=begin)
    first = next(frames, None)
    if first is None or first.pts is None:
        return None
    rate, unit = first.sample_rate, container.streams.best("audio").time_base
    skipped = round(start * rate) - round((first.pts - origin) * unit * rate)
    count = round(length * rate)
    if skipped < 0:
        return None
    samples = _taken(at_rate(chain([first], frames), rate), skipped, count)
    if count - len(samples) > SHORTFALL_SECONDS * rate:
        return None
    missing = length * sizes["lost"] / max(1, sizes["decoded"])
    return Clip(samples, rate, first.layout.nb_channels, max(lost, missing))


def _taken(pieces: Iterator[Samples], skipped: int, count: int) -> Samples:
    """Return ``count`` samples from consecutive pieces, after skipping some."""
    taken: list[Samples] = []
    position = 0
    for piece in pieces:
        taken.append(piece[max(0, skipped - position) : max(0, skipped + count - position)])
        position += len(piece)
        if position >= skipped + count:
            break
    return np.concatenate(taken) if taken else np.empty(0, np.float32)
