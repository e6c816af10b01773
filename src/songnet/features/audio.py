"""Decode audio files to mono samples: the one decoder for training and inference.

FFmpeg (through PyAV) reads every format; libsndfile reads clean MP3s in two thirds of the time. The
format is detected from the content of a file, never from its name, and the decoded length is
compared with the length that the file should have.
"""

import io
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain
from types import SimpleNamespace
from typing import Any, BinaryIO

import av
import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from songnet.errors import UnusableClipError
from songnet.features import mpeg

Samples = NDArray[np.float32]
# FFmpeg's names of the containers used for music. Its hundreds of others include playlists that
# refer to other files, and headerless formats that match any bytes.
FORMATS = (
    "aac", "aiff", "ape", "asf", "au", "caf", "flac", "matroska", "mov", "mp3", "mpc", "mpc8",
    "ogg", "tta", "w64", "wav", "wv",
)  # fmt: skip
WITHOUT_LENGTH = ("aac", "mp3")  # formats whose length FFmpeg estimates from the bit rate
# Limits on what is decoded, since a header can claim any length, rate and number of channels.
MAX_SECONDS = 3600.0
RATES = range(4_000, 192_001)  # Hz
MAX_CHANNELS = 8
LOUDEST = 2.0**31  # samples of float files that store integers; larger ones are invalid
MARGIN_SECONDS = 1.0  # decoded beyond the excerpt, since resampling looks ahead
BLOCK_SECONDS = 4.0  # decoded at a time, so that memory does not grow with the length
SILENCE = 1e-4  # -80 dB; samples within this distance of a constant are silence
# Shorter differences from the declared length are rounding or an encoder's padding, not losses.
SHORTFALL_SECONDS = 0.1
NO_AUDIO = "not decodable: no audio in it"
FROM_THE_BEGINNING = ("ogg", "asf")  # formats whose length includes the time before the start
TRIMMED_FRAMES = 4  # maximum number of MP3 frames that an encoder's delay and padding take
MOST_CHUNKS = 100  # maximum number of chunks searched for the samples of a WAV file
UNKNOWN_BYTES = 2**31 - 2**12  # WAV files that declare more were written with an unknown size


@dataclass(frozen=True)
class Clip:
    """Decoded audio: (samples,) float32, the mean of all channels, at the file's own rate in Hz."""

    samples: Samples
    sample_rate: int
    channels: int
    lost_seconds: float = 0.0  # audio that the file should contain but cannot be decoded

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


def decode(file: BinaryIO, min_seconds: float = 0.0, max_seconds: float = MAX_SECONDS) -> Clip:
    """Decode an audio file.

    Args:
        file: seekable binary file.
        min_seconds: shorter clips are unusable.
        max_seconds: decoding stops here.

    Raises:
        UnusableClipError: as in `decode_blocks`, or the clip is shorter than ``min_seconds``.
    """
    blocks: list[Clip] = []
    with closing(decode_blocks(file)) as decoded:
        for block in decoded:
            blocks.append(block)
            if sum(block.seconds for block in blocks) >= max_seconds:
                break
    rate = blocks[0].sample_rate
    parts = [block.samples for block in blocks]
    samples = (parts[0] if len(parts) == 1 else np.concatenate(parts))[: int(max_seconds * rate)]
    lost = sum(block.lost_seconds for block in blocks)
    clip = Clip(samples, rate, blocks[0].channels, lost)
    check_length(clip.seconds, min_seconds, lost)
    return clip


def check_length(seconds: float, min_seconds: float, lost_seconds: float = 0.0) -> None:
    """Check that a clip is long enough.

    Raises:
        UnusableClipError: the clip is too short; the message says how much could not be decoded.
    """
    if seconds < min_seconds:
        lost = f"; {lost_seconds:.1f} s cannot be decoded" if lost_seconds else ""
        raise UnusableClipError(f"too short: {seconds:.1f} s, minimum {min_seconds:g} s{lost}")


def clip_samples(
    file: BinaryIO, sample_rate: int, seconds: float, min_seconds: float = 0.0
) -> tuple[Samples, Clip]:
    """Decode the beginning of a file and resample it.

    Args:
        file: seekable binary file.
        sample_rate: sample rate of the result in Hz.
        seconds: maximum length of the result.
        min_seconds: shorter clips are unusable.

    Returns:
        (samples,) float32, and the decoded clip before resampling, which may be a little longer.

    Raises:
        UnusableClipError: as in `decode`.
    """
    clip = decode(file, min_seconds, seconds + MARGIN_SECONDS)
    return resample(clip, sample_rate)[: int(seconds * sample_rate)], clip


def resample(clip: Clip, sample_rate: int) -> Samples:
    """Resample a clip with soxr's high quality (librosa's default)."""
    if clip.sample_rate == sample_rate:
        return clip.samples
    samples: Samples = soxr.resample(clip.samples, clip.sample_rate, sample_rate, quality="HQ")
    return samples


def is_silent(low: float, high: float) -> bool:
    """Return whether samples between two values are silence, e.g. channels that cancel out."""
    return high - low <= 2 * SILENCE


def decode_blocks(file: BinaryIO, max_seconds: float = np.inf) -> Generator[Clip, None, None]:
    """Decode an audio file in blocks of a few seconds, with constant memory.

    Args:
        file: seekable binary file.
        max_seconds: longer files are refused, before decoding if the header gives the length.

    Yields:
        Successive blocks with the same sample rate and number of channels. ``lost_seconds`` of a
        block is the audio since the previous block that could not be decoded.

    Raises:
        UnusableClipError: the file is empty, not audio, or longer than ``max_seconds``; its sample
            rate or number of channels is not that of music; or samples are not finite or too large.
        OSError: the file cannot be read.
    """
    if not file.seek(0, io.SEEK_END):
        raise UnusableClipError("empty file")
    too_long = UnusableClipError(f"longer than {max_seconds / 3600:g} hours")
    walk = mpeg.walk(file)
    with ExitStack() as stack:
        sound = _clean_mp3(file, walk) if walk and walk.is_clean else None
        if sound is not None:
            declared = sound.frames / sound.samplerate
            blocks = _libsndfile_blocks(stack.enter_context(sound))
        else:
            container = stack.enter_context(open_container(file))
            declared = declared_seconds(container, walk)
            blocks = _ffmpeg_blocks(container, declared, promised_share(file), walk)
        if declared > max_seconds:
            raise too_long
        count = 0
        for block in blocks:
            check_samples(block.samples)
            count += len(block.samples)
            if count > max_seconds * block.sample_rate:
                raise too_long
            yield block
        if not count:
            raise UnusableClipError(NO_AUDIO)


def average_channels(samples: Samples) -> Samples:
    """Average the channels: (n,) or (n, channels) -> (n,)."""
    if samples.ndim == 1:
        return samples
    # A matrix product is ten times as fast as samples.mean(axis=1).
    return samples @ np.full(samples.shape[1], 1 / samples.shape[1], np.float32)


def check_samples(samples: Samples) -> None:
    """Check that samples are finite and within the range of audio."""
    # The minimum and maximum are NaN if any sample is, so two passes are enough.
    if not -LOUDEST <= samples.min(initial=0) <= samples.max(initial=0) <= LOUDEST:
        raise UnusableClipError("samples are not finite, or are too large for audio")


def check_format(sample_rate: int, channels: int) -> None:
    """Check that the sample rate in Hz and the number of channels are those of music."""
    if sample_rate not in RATES or not 0 < channels <= MAX_CHANNELS:
        raise UnusableClipError(f"not music: {channels} channels at {sample_rate} Hz")


def nameless(file: BinaryIO) -> Any:
    """Hide the name of a file from libraries that would infer its format from it."""
    names = ("read", "readinto", "seek", "tell")
    return SimpleNamespace(**{name: getattr(file, name) for name in names})


# --- Clean MP3s: libsndfile ---


class Forward(sf.SoundFile):
    """A sound file that is only read forwards.

    soundfile seeks after each read of a seekable file, which resets libsndfile's MP3 decoder, so
    that every block would begin with a gap.
    """

    def seekable(self) -> bool:  # noqa: D102
        return False


def open_mp3(file: BinaryIO) -> sf.SoundFile | None:
    """Open an MP3 with libsndfile; None if that fails."""
    file.seek(0)
    try:
        return Forward(nameless(file))
    except sf.LibsndfileError:
        return None


def _clean_mp3(file: BinaryIO, walk: mpeg.Walk) -> sf.SoundFile | None:
    """Open an MP3 with libsndfile; None if its length differs from that of the MP3's frames."""
    sound = open_mp3(file)
    if sound is None or is_as_long(sound, walk):
        return sound
    sound.close()
    return None


def is_as_long(sound: sf.SoundFile, walk: mpeg.Walk) -> bool:
    """Return whether libsndfile expects the total length of an MP3's frames."""
    # The encoder's delay and padding are trimmed; a damaged header may claim a greater length.
    trimmed = walk.seconds - sound.frames / sound.samplerate
    same_rate = sound.samplerate == walk.sample_rate
    return same_rate and -walk.frame_seconds / 2 < trimmed < SHORTFALL_SECONDS


def _libsndfile_blocks(sound: sf.SoundFile) -> Iterator[Clip]:
    left, rate = sound.frames, sound.samplerate
    check_format(rate, sound.channels)
    while len(samples := sound.read(int(BLOCK_SECONDS * rate), dtype="float32")):
        left -= len(samples)
        yield Clip(average_channels(samples), rate, sound.channels)
    if left > 0:  # has never happened with valid headers
        raise UnusableClipError(f"not decodable: its last {left / rate:.1f} s")


# --- Everything else: FFmpeg ---


def open_container(file: BinaryIO) -> Any:
    """Open a file in one of FORMATS with FFmpeg.

    Raises:
        UnusableClipError: the file contains no audio.
    """
    file.seek(0)
    options = {"format_whitelist": ",".join(FORMATS)}
    try:
        container = av.open(nameless(file), options=options, metadata_errors="ignore")
    except av.FFmpegError:
        raise UnusableClipError(NO_AUDIO) from None
    stream = container.streams.best("audio")
    if stream is None or stream.codec_context is None:  # no stream, or no decoder for it
        container.close()
        raise UnusableClipError(NO_AUDIO)
    stream.codec_context.thread_count = 1
    return container


def declared_seconds(container: Any, walk: mpeg.Walk | None) -> float:
    """Return the length that the header of a file declares in seconds, or 0."""
    name = container.format.name
    if name in WITHOUT_LENGTH:
        if walk is None or walk.declared_seconds is None:
            return 0.0
        return max(0.0, walk.declared_seconds - TRIMMED_FRAMES * walk.frame_seconds)
    stream = container.streams.best("audio")
    seconds = float((stream.duration or 0) * stream.time_base)
    if name in FROM_THE_BEGINNING and (stream.start_time or 0) > 0:
        seconds -= float(stream.start_time * stream.time_base)
    return seconds or (container.duration or 0) / av.time_base


def promised_share(file: BinaryIO) -> float:
    """Return the ratio of declared to existing sample bytes of a WAV file.

    FFmpeg ignores the declared size. The ratio is 1 for other formats, and for files written to a
    pipe, whose size was unknown.
    """
    place, size = file.tell(), file.seek(0, io.SEEK_END)
    try:
        at, promised = 4, 0
        file.seek(0)
        if file.read(4) != b"RIFF":
            return 1.0
        for _ in range(MOST_CHUNKS):
            at += 8 + promised + promised % 2
            file.seek(at)
            name, promised = file.read(4), int.from_bytes(file.read(4), "little")
            if name == b"data":
                there = size - at - 8
                return promised / there if 0 < there < promised < UNKNOWN_BYTES else 1.0
        return 1.0
    finally:
        file.seek(place)  # where FFmpeg left it


def _ffmpeg_blocks(
    container: Any, declared_seconds: float, promised_share: float, walk: mpeg.Walk | None
) -> Iterator[Clip]:
    packet_bytes = {"decoded": 0, "lost": 0}
    tags_at = walk.end if walk and walk.has_only_tags else None
    frames = decoded_frames(container, packet_bytes, tags_at)
    first = next(frames, None)
    if first is None:
        raise UnusableClipError(NO_AUDIO)
    rate, channels = first.sample_rate, first.layout.nb_channels
    seconds = lost = 0.0
    for samples in _in_blocks(at_rate(chain([first], frames), rate), int(BLOCK_SECONDS * rate)):
        seconds += len(samples) / rate
        # The duration of an undecodable packet is estimated from the bytes per second of others.
        estimate = seconds * packet_bytes["lost"] / max(1, packet_bytes["decoded"])
        yield Clip(samples, rate, channels, max(0.0, estimate - lost))
        lost = max(lost, estimate)
    estimate = seconds * packet_bytes["lost"] / max(1, packet_bytes["decoded"])
    expected = max(declared_seconds, seconds * promised_share, seconds + estimate)
    missing = expected - seconds - lost
    if missing > SHORTFALL_SECONDS:
        yield Clip(np.empty(0, np.float32), rate, channels, missing)


def decoded_frames(
    container: Any,
    packet_bytes: dict[str, int],
    tags_at: int | None = None,
    begin: float = -np.inf,
) -> Iterator[Any]:
    """Decode the frames of a file, skipping packets that cannot be decoded.

    Args:
        container: open file.
        packet_bytes: sums of the sizes of decoded and lost packets, updated in place.
        tags_at: byte offset of trailing tags, which do not count as lost.
        begin: time at which decoding starts, in the stream's unit.
    """
    stream = container.streams.best("audio")
    end = 0
    try:
        for packet in container.demux(stream):
            end = max(end, (packet.pos or 0) + packet.size)
            if packet.pts is not None and packet.pts < begin:
                continue
            try:
                frames = packet.decode()
            except av.FFmpegError:
                if tags_at is None or (packet.pos or 0) < tags_at:
                    packet_bytes["lost"] += packet.size
                continue
            packet_bytes["decoded"] += packet.size
            yield from frames
    except av.FFmpegError:  # FFmpeg gives up, e.g. where a chained Ogg stream changes its rate
        packet_bytes["lost"] += max(0, container.size - end)


def at_rate(frames: Iterable[Any], rate: int) -> Iterator[Samples]:
    """Yield mono samples at one rate from frames whose format may change."""
    packed = _Packed()
    current, resampler = rate, None
    for frame in frames:
        check_format(frame.sample_rate, frame.layout.nb_channels)
        if frame.sample_rate != current:
            if resampler is not None:
                yield resampler.resample_chunk(np.empty(0, np.float32), last=True)
            current = frame.sample_rate
            resampler = None
            if current != rate:
                resampler = soxr.ResampleStream(current, rate, 1, dtype="float32", quality="HQ")
        samples = packed.mono(frame)
        yield samples if resampler is None else resampler.resample_chunk(samples)
    if resampler is not None:
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


class _Packed:
    """Converts frames of any sample format to float32 with full scale 1, and averages channels.

    FFmpeg interleaves the channels, because PyAV reads out of bounds with eight planar channels.
    """

    def __init__(self) -> None:
        self._format: tuple[str, str, int] | None = None

    def mono(self, frame: Any) -> Samples:
        """Return the samples of a frame, (n,)."""
        format_ = frame.format.name, frame.layout.name, frame.sample_rate
        if format_ != self._format:
            self._format, self._converter = format_, av.AudioResampler(format="flt")
        parts = [part.to_ndarray() for part in self._converter.resample(frame)]
        samples = np.concatenate(parts, axis=1).reshape(-1, frame.layout.nb_channels)
        return average_channels(samples)


def _in_blocks(pieces: Iterable[Samples], size: int) -> Iterator[Samples]:
    """Join pieces into blocks of at least ``size`` samples, except the last block."""
    waiting: list[Samples] = []
    count = 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        if count >= size:
            yield np.concatenate(waiting)
            waiting, count = [], 0
    if waiting:
        yield np.concatenate(waiting)
