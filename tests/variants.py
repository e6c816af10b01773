"""Audio files of many kinds, sound and damaged, as people's libraries hold them.

FFmpeg's command line encodes them, and says how long each one is: a second opinion, since SongNet
decodes with FFmpeg's libraries of another version.
"""

import io
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from songnet.features import mpeg

RATE = 44_100
SECONDS = 6.0


@cache
def music(seconds: float = SECONDS, rate: int = RATE, channels: int = 2) -> NDArray[np.float32]:
    """Chords that change, louder and softer, over a little noise: (n, channels)."""
    rng = np.random.default_rng(7)
    time = np.arange(int(seconds * rate)) / rate
    chord = np.zeros_like(time)
    for note in (110.0, 138.6, 164.8, 220.0, 440.0):
        chord += np.sin(2 * np.pi * note * (1 + np.floor(time) / 8) * time)
    level = 0.05 + 0.1 * np.abs(np.sin(2 * np.pi * time / 3))
    noise = 0.02 * rng.standard_normal((len(time), channels))
    return ((level * chord)[:, None] + noise).astype(np.float32)


def ffmpeg(source: bytes, suffix: str, *arguments: str) -> bytes:
    """What FFmpeg makes of a file: it goes back to write headers, so it gets a file, no pipe."""
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        command = ["ffmpeg", "-v", "error", "-y", "-i", "pipe:0", *arguments, file.name]
        subprocess.run(command, input=source, check=True)
        return file.read()


@cache
def wav(seconds: float = SECONDS, rate: int = RATE, channels: int = 2) -> bytes:
    """The music as a WAV of 16 bits."""
    file = io.BytesIO()
    sf.write(file, music(seconds, rate, channels), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


@cache
def mp3(kind: str = "cbr", xing: bool = True, rate: int = RATE, channels: int = 2,
        seconds: float = SECONDS) -> bytes:  # fmt: skip
    """The music as MP3, without tags."""
    quality = ["-b:a", "128k"] if kind == "cbr" else ["-q:a", "4"]
    tags = ["-write_xing", str(int(xing)), "-id3v2_version", "0"]
    return ffmpeg(wav(seconds, rate, channels), ".mp3", "-c:a", "libmp3lame", *quality, *tags)


def frames(content: bytes) -> list[int]:
    """Places of the frames of a clean MP3."""
    at, places = 0, []
    while frame := mpeg.read_header(content[at : at + 4]):
        places.append(at)
        at += frame.length
    return places


def _with(content: bytes, at: int, value: bytes) -> bytes:
    return content[:at] + value + content[at + len(value) :]


def _xing_count(kind: str, count: int) -> bytes:
    content = mp3(kind)
    at = max(content.find(b"Xing", 0, 200), content.find(b"Info", 0, 200))
    return _with(content, at + 8, count.to_bytes(4))


def _id3(version: int, payload: bytes, footer: bool = False) -> bytes:
    size = bytes(len(payload) >> shift & 0x7F for shift in (21, 14, 7, 0))
    flags = 0x10 if footer else 0
    tag = b"ID3" + bytes([version, 0, flags]) + size + payload
    return tag + (b"3DI" + bytes([version, 0, flags]) + size if footer else b"")


def _ape(size: int, header: bool = True) -> bytes:
    """An APEv2 tag whose one item has so many bytes, with a footer."""
    item = size.to_bytes(4, "little") + bytes(4) + b"Cover\0" + bytes(size)

    def frame(flags: int) -> bytes:
        numbers = (2000, len(item) + 32, 1, flags << 24, 0, 0)
        return b"APETAGEX" + b"".join(number.to_bytes(4, "little") for number in numbers)

    return frame(0xA0) + item + frame(0x80) if header else item + frame(0)


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _text_frame(text: bytes, version: int = 3) -> bytes:
    return b"TIT2" + (len(text) + 1).to_bytes(4) + b"\0\0\0" + text


def _flipped(place: int) -> bytes:
    """One byte of one of 20 frame headers inverted."""
    content = mp3()
    places = frames(content)
    at = places[2 + place * (len(places) - 4) // 20] + 1 + place % 3
    return _with(content, at, bytes([content[at] ^ 0xFF]))


def _zeros_inside(content: bytes, size: int) -> bytes:
    return _with(content, len(content) // 2, bytes(size))


def _flac(samples: int | None) -> bytes:
    """FLAC whose STREAMINFO tells another number of samples; None: as many as there are."""
    content = ffmpeg(wav(), ".flac")
    head = int.from_bytes(content[18:26])
    if samples is None:
        samples = int(SECONDS * RATE)
    return _with(content, 18, (head & ~(2**36 - 1) | samples).to_bytes(8))


def _wav_size(size: int) -> bytes:
    content = wav()
    return _with(content, content.index(b"data") + 4, size.to_bytes(4, "little"))


def _cbr_junk(before: bytes = b"", after: bytes = b"") -> bytes:
    return before + mp3() + after


def _ogg(seconds: float) -> bytes:
    return ffmpeg(wav(seconds), ".ogg", "-c:a", "libvorbis")


Make = Callable[[], bytes]


def variants() -> Iterator[tuple[str, Make]]:
    """Name and maker of each file."""
    for kind in ("cbr", "vbr"):
        yield f"{kind}, Xing", lambda kind=kind: mp3(kind)  # type: ignore[misc]
        yield f"{kind}, no Xing", lambda kind=kind: mp3(kind, xing=False)  # type: ignore[misc]
        yield f"{kind}, Xing count 0", lambda kind=kind: _xing_count(kind, 0)  # type: ignore[misc]
        yield f"{kind}, Xing count 50", lambda kind=kind: _xing_count(kind, 50)  # type: ignore[misc]
        yield f"{kind}, Xing count 9000", lambda kind=kind: _xing_count(kind, 9000)  # type: ignore[misc]
    yield "mono 22050 Hz", lambda: mp3(rate=22_050, channels=1)
    yield "mono 8000 Hz", lambda: mp3(rate=8_000, channels=1)
    tag = _text_frame(b"title")
    yield "ID3v2.3", lambda: _cbr_junk(_id3(3, tag))
    yield "ID3v2.4", lambda: _cbr_junk(_id3(4, tag + bytes(2000)))
    yield "ID3v2.4 with footer", lambda: _cbr_junk(_id3(4, tag, footer=True))
    yield "ID3 twice", lambda: _cbr_junk(_id3(4, tag) + _id3(3, tag))
    yield "ID3 not UTF-8", lambda: _cbr_junk(_id3(3, _text_frame(b"Bl\xf6d\xff")))
    yield "ID3v1", lambda: _cbr_junk(after=b"TAG" + bytes(125))
    yield "APE tag", lambda: _cbr_junk(after=_ape(500))
    yield "APE and ID3v1 tags", lambda: _cbr_junk(after=_ape(500) + b"TAG" + bytes(125))
    yield "APE tag without header, no Xing", lambda: mp3(xing=False) + _ape(90_000, False)
    yield "ID3v1 tag, then another song", lambda: mp3() + b"TAG" + bytes(125) + mp3(seconds=3)
    yield "HTTP header before", lambda: _cbr_junk(b"HTTP/1.0 200 OK\r\nicy-br: 128\r\n\r\n\n\n")
    yield "zeros before", lambda: _cbr_junk(bytes(700))
    yield "zeros after", lambda: _cbr_junk(after=bytes(700))
    yield "zeros between", lambda: _cbr_junk() + bytes(3000) + _cbr_junk()
    yield "a block of zeros inside", lambda: _zeros_inside(mp3(), 8192)
    yield "64 bytes lost", lambda: mp3()[:30_000] + mp3()[30_064:]
    yield "a header zeroed", lambda: _with(mp3(), frames(mp3())[60], bytes(4))
    yield "begins inside a frame", lambda: mp3()[5000:]
    yield "ends inside a frame", lambda: mp3()[:-200]
    for place in range(20):
        yield f"header byte flipped, {place}", lambda place=place: _flipped(place)  # type: ignore[misc]
    yield "rate changes", lambda: mp3(seconds=3) + mp3(rate=48_000)
    yield "rate changes twice", lambda: mp3() + mp3(rate=32_000, seconds=3) + mp3(seconds=3)
    yield "mono, then stereo", lambda: mp3(channels=1, seconds=3) + mp3()
    yield "stereo, then mono", lambda: mp3() + mp3(channels=1, seconds=3)
    yield "two files in a row", lambda: mp3(seconds=3) + mp3("vbr")
    yield "chained Ogg", lambda: _ogg(3) + _ogg(SECONDS)
    yield "8 channels, Opus", lambda: ffmpeg(wav(), ".opus", "-c:a", "libopus", "-ac", "8")
    yield "6 channels, AAC", lambda: ffmpeg(wav(), ".m4a", "-ac", "6")
    yield "Vorbis", lambda: _ogg(SECONDS)
    yield "Opus", lambda: ffmpeg(wav(), ".opus", "-c:a", "libopus")
    yield "Opus in WebM", lambda: ffmpeg(wav(), ".webm", "-c:a", "libopus")
    yield "FLAC", lambda: _flac(None)
    yield "FLAC, length unknown", lambda: _flac(0)
    yield "FLAC, length too small", lambda: _flac(50_000)
    yield "FLAC, length too large", lambda: _flac(900_000)
    yield "FLAC, half", lambda: _half(_flac(None))
    yield "AAC", lambda: ffmpeg(wav(), ".m4a", "-c:a", "aac")
    yield "AAC in fragments", lambda: ffmpeg(wav(), ".m4a", "-movflags", "frag_keyframe+empty_moov")
    yield "AAC, ADTS", lambda: ffmpeg(wav(), ".aac", "-c:a", "aac")
    yield "ALAC", lambda: ffmpeg(wav(), ".m4a", "-c:a", "alac")
    yield "WMA", lambda: ffmpeg(wav(), ".wma", "-c:a", "wmav2")
    yield "WAV", wav
    yield "WAV, half", lambda: _half(wav())
    yield "WAV, data size 0", lambda: _wav_size(0)
    yield "WAV, data size unknown", lambda: _wav_size(0xFFFFFFFF)
    yield "WAV, data size too large", lambda: _wav_size(99_999_999)
    yield "WAV of floats, half", lambda: _half(ffmpeg(wav(), ".wav", "-c:a", "pcm_f32le"))
    yield "FLAC in Matroska, half", lambda: _half(ffmpeg(wav(), ".mka", "-c:a", "flac"))
    yield "WAV of 64 bits", lambda: ffmpeg(wav(), ".wav", "-c:a", "pcm_s64le")
    yield "WAV of 24 bits", lambda: ffmpeg(wav(), ".wav", "-c:a", "pcm_s24le")
    yield "WAV of 8 bits", lambda: ffmpeg(wav(), ".wav", "-c:a", "pcm_u8")
    yield "WAV of doubles", lambda: ffmpeg(wav(), ".wav", "-c:a", "pcm_f64le")
    yield "RF64", lambda: ffmpeg(wav(), ".wav", "-rf64", "always")
    yield "W64", lambda: ffmpeg(wav(), ".w64")
    yield "AIFF", lambda: ffmpeg(wav(), ".aiff")
    yield "CAF", lambda: ffmpeg(wav(), ".caf")
    yield "WavPack", lambda: ffmpeg(wav(), ".wv")


def ffmpeg_seconds(content: bytes, rate: int) -> float:
    """Length that FFmpeg decodes at a rate in Hz, past all errors."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        command = ["ffmpeg", "-v", "quiet", "-i", file.name, "-map", "0:a:0", "-ac", "1", "-ar",
                   str(rate), "-f", "s16le", "pipe:1"]  # fmt: skip
        samples = subprocess.run(command, stdout=subprocess.PIPE).stdout
    return len(samples) / 2 / rate
