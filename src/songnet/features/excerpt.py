"""The middle of an audio file, sample by sample what a whole decoding holds there.

Decoders seek, so that a song of minutes costs what its excerpt costs. Where a file has no index to
seek by, or holds less than it promises, its packets are counted without decoding them. Where that
fails, too, all of it is decoded.
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

PREROLL_SECONDS = 0.5  # decoded before an excerpt, since frames need what came before them
SHORT_SECONDS = 2.0  # that a file is longer than an excerpt: then all of it is decoded
KEPT_SECONDS = 120.0  # of a file that must be decoded as a whole; longer ones are decoded twice


@dataclass(frozen=True)
class Excerpt:
    """Part of a file."""

    clip: Clip
    start_seconds: float
    total_seconds: float  # length of the file


def middle(file: BinaryIO, seconds: float) -> Excerpt:
    """Decode the middle of an audio file; all of a shorter one.

    Args:
        file: open for reading, seekable.
        seconds: length of the excerpt.

    Raises:
        UnusableClipError: as in `songnet.features.audio.decode_blocks`.
        OSError: the file cannot be read.
    """
    if not file.seek(0, io.SEEK_END):
        raise UnusableClipError("empty file")
    walk = mpeg.walk(file)
    for attempt in (_of_clean_mp3, _by_index, _by_packets):
        found = attempt(file, walk, seconds)
        if found is not None:
            check_samples(found.clip.samples)
            return found
    return _of_all(file, seconds)


def _span(total: float, seconds: float) -> tuple[float, float]:
    """Beginning and length of the middle, in the unit of both."""
    length = min(total, seconds)
    return (total - length) / 2, length


def _of_clean_mp3(file: BinaryIO, walk: mpeg.Walk | None, seconds: float) -> Excerpt | None:
    """Let libsndfile seek, which counts the frames of an MP3 exactly."""
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
    """Let FFmpeg seek, by the index or the time stamps of a file; None where it has none."""
    with open_container(file) as container:
        total = declared_seconds(container, walk)
        if container.format.name in WITHOUT_LENGTH or total < seconds + SHORT_SECONDS:
            return None
        first = _first_frame(container)
        if first is None:
            return None
        stream = container.streams.best("audio")
        start, length = _span(total, seconds)
        place = first.pts + int((start - PREROLL_SECONDS) / stream.time_base)
        try:
            container.seek(max(place, first.pts), stream=stream)
        except av.FFmpegError:
            return None
        lost = total * (promised_share(file) - 1)
        found = _cut(container, first.pts, start, length, lost=lost)
        return Excerpt(found, start, total) if found else None


def _by_packets(file: BinaryIO, walk: mpeg.Walk | None, seconds: float) -> Excerpt | None:
    """Count packets, then decode those of the middle; None where their times are not known."""
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
        found = _cut(container, first.pts, start, length, begin, lost)
        return Excerpt(found, start, total) if found else None


def _of_all(file: BinaryIO, seconds: float) -> Excerpt:
    """Decode everything, a second time where it is too long to be kept."""
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
    """First frame that can be decoded, if it says when it begins."""
    first = next(decoded_frames(container, {"decoded": 0, "lost": 0}), None)
    return first if first is not None and first.pts is not None else None


def _end_of_packets(container: Any) -> int | None:
    """Where the last of the packets that are left ends, in the stream's unit.

    None where they do not follow one another, as in a file of several streams.
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
    """Decode from where a container stands, and cut out a part.

    Args:
        container: may stand before the part.
        origin: time of the file's first sample, in the stream's unit.
        start: of the part, seconds from the first sample.
        length: of the part, seconds.
        begin: as `decoded_frames` takes it.
        lost: seconds of the file that are known to be lost.

    Returns:
        None where it is not all there.
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
    """Samples behind those that are skipped, of a sound that comes in pieces."""
    taken: list[Samples] = []
    place = 0
    for piece in pieces:
        taken.append(piece[max(0, skipped - place) : max(0, skipped + count - place)])
        place += len(piece)
        if place >= skipped + count:
            break
    return np.concatenate(taken) if taken else np.empty(0, np.float32)
