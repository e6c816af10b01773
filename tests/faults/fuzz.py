"""Mutated clips against the decoder; `python -m tests.faults.fuzz --minutes 10` is `make fuzz`.

A child process decodes, so that the fuzzer outlives a crash and can end a hang. Every input follows
from (seed, number), so a number that is printed can be tried again.
"""

import argparse
import io
import multiprocessing
import os
import resource
import shutil
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import av
import numpy as np
import soundfile as sf

from songnet.errors import UnusableClipError
from songnet.features.audio import clip_samples
from songnet.features.mel import MelSpectrogram
from tests.variants import ffmpeg, wav

HANG_SECONDS = 20.0  # a sound clip takes a tenth of a second
Rng = np.random.Generator


def corpus(archive: Path | None = None) -> list[bytes]:
    """Sound clips to be mutated: MP3 of many kinds, every other format, some of an archive."""
    rng = np.random.default_rng(0)
    tones = np.sin(2 * np.pi * np.outer(np.arange(6 * 44_100) / 44_100, rng.uniform(80, 4000, 2)))
    noisy = (0.4 * tones + 0.05 * rng.standard_normal(tones.shape)).astype(np.float32)
    clips = []
    for rate in (8_000, 22_050, 44_100, 48_000):
        for channels in (1, 2):
            for mode in ("CONSTANT", "VARIABLE"):
                file = io.BytesIO()
                sf.write(file, noisy[: 6 * rate, :channels], rate, format="MP3", bitrate_mode=mode)
                clips.append(file.getvalue())
    clips.append(b"ID3\x04\x00\x00" + bytes([0, 0, 8, 0]) + b"TIT2" + bytes(1020) + clips[8])
    for kind in ("WAV PCM_16", "WAV IMA_ADPCM", "FLAC", "OGG", "OGG OPUS", "AIFF", "CAF ALAC_16"):
        file = io.BytesIO()
        form, _, subtype = kind.partition(" ")
        sf.write(file, noisy[: 2 * 48_000], 48_000, format=form, subtype=subtype or None)
        clips.append(file.getvalue())
    if shutil.which("ffmpeg"):
        clips += [ffmpeg(wav(), suffix) for suffix in (".m4a", ".wma", ".aac", ".webm", ".wv")]
    if archive is not None:
        with zipfile.ZipFile(archive) as source:
            names = [name for name in source.namelist() if name.endswith(".mp3")]
            clips += [source.read(names[i]) for i in rng.choice(len(names), 20, replace=False)]
    return clips


def mutated(clips: list[bytes], seed: int, number: int) -> bytes:
    """One hostile clip: a sound one after one to five mutations."""
    rng = np.random.default_rng([seed, number])
    content = clips[rng.integers(len(clips))]
    for _ in range(rng.integers(1, 6)):
        content = MUTATIONS[rng.integers(len(MUTATIONS))](content, clips, rng) or b"\0"
    return content


def _place(content: bytes, rng: Rng) -> int:
    """A place in a clip; every other one among the headers."""
    return int(rng.integers(min(len(content), 200) if rng.random() < 0.5 else len(content)))


def _flip_bits(content: bytes, clips: list[bytes], rng: Rng) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.integers(1, 40)):
        changed[_place(content, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _numbers(content: bytes, clips: list[bytes], rng: Rng) -> bytes:
    """Put sizes that overflow where headers may have sizes."""
    at = _place(content, rng)
    value = int(rng.choice([0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
    order = "big" if rng.random() < 0.5 else "little"
    return content[:at] + value.to_bytes(4, order) + content[at + 4 :]  # type: ignore[arg-type]


def _noise(content: bytes, clips: list[bytes], rng: Rng) -> bytes:
    at = _place(content, rng)
    length = int(2 ** rng.uniform(0, 13))
    return content[:at] + rng.bytes(length) + content[at + length :]


def _cut(content: bytes, clips: list[bytes], rng: Rng) -> bytes:
    return content[: _place(content, rng)]


def _remove(content: bytes, clips: list[bytes], rng: Rng) -> bytes:
    at = _place(content, rng)
    return content[:at] + content[at + int(2 ** rng.uniform(0, 13)) :]


def _repeat(content: bytes, clips: list[bytes], rng: Rng) -> bytes:
    at = _place(content, rng)
    piece = content[at : at + int(2 ** rng.uniform(0, 13))]
    return content[:at] + piece * int(rng.integers(2, 50)) + content[at:]


def _splice(content: bytes, clips: list[bytes], rng: Rng) -> bytes:
    """Go on with another clip: other rates, other channels, another format."""
    other = clips[rng.integers(len(clips))]
    return content[: _place(content, rng)] + other[_place(other, rng) :]


def _frame_headers(content: bytes, clips: list[bytes], rng: Rng) -> bytes:
    """Change the fields of some MPEG frames: version, layer, bit rate, sampling rate, mode."""
    changed = bytearray(content)
    frames = [i for i in range(len(content) - 3) if content[i] == 0xFF and content[i + 1] >= 0xE0]
    for at in rng.choice(frames, min(len(frames), 10)) if frames else []:
        changed[at + 1] = 0xE0 | int(rng.integers(32))
        changed[at + 2 : at + 4] = rng.bytes(2)
    return bytes(changed)


Mutation = Callable[[bytes, list[bytes], Rng], bytes]
MUTATIONS: list[Mutation] = [
    _flip_bits, _numbers, _noise, _cut, _remove, _repeat, _splice, _frame_headers,
]  # fmt: skip


@dataclass
class Outcome:
    """What became of all inputs."""

    tried: int = 0
    reasons: Counter[str] = field(default_factory=Counter)  # sound, or why it was quarantined
    crashed: list[int] = field(default_factory=list)
    hung: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)  # errors that are no quarantine
    slowest: float = 0.0  # seconds
    memory: int = 0  # the child's largest resident set, MiB


def fuzz(
    seed: int = 1, count: float = np.inf, seconds: float = np.inf, archive: Path | None = None
) -> Outcome:
    """Decode mutated clips, up to a count or for some seconds."""
    outcome = Outcome()
    end = time.monotonic() + seconds
    while outcome.tried < count and time.monotonic() < end:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.Process(
            target=_decode_all, args=(theirs, seed, outcome.tried, archive), daemon=True
        )
        child.start()
        theirs.close()
        while outcome.tried < count and time.monotonic() < end:
            try:
                if not ours.poll(HANG_SECONDS):
                    outcome.hung.append(outcome.tried)
                    break
                reason, error, took, memory = ours.recv()
            except EOFError:
                outcome.crashed.append(outcome.tried)
                break
            outcome.reasons[reason] += 1
            if error:
                outcome.failed[outcome.tried] = error
            outcome.slowest = max(outcome.slowest, took)
            outcome.memory = max(outcome.memory, memory)
            outcome.tried += 1
        else:
            child.kill()
            child.join()
            break
        child.kill()
        child.join()
        outcome.tried += 1
    return outcome


def _decode_all(pipe: Connection, seed: int, first: int, archive: Path | None) -> None:
    # The decoders tell the terminal of each fault.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    clips = corpus(archive)
    number = first
    while True:
        content = mutated(clips, seed, number)
        begun = time.perf_counter()
        reason, error = _process(content)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        pipe.send((reason, error, time.perf_counter() - begun, memory))
        number += 1


def _process(content: bytes) -> tuple[str, str]:
    """What the mel jobs do with a clip: the reason, and an error that is a defect of SongNet."""
    config = MelSpectrogram()
    try:
        samples, clip = clip_samples(io.BytesIO(content), config.sample_rate, 30, min_seconds=1)
        mel = config.offline(samples)
        expected = min(_ffmpeg_seconds(content), 31)
        if abs(clip.seconds - expected) > 0.1:
            return "failed", f"{clip.seconds:.2f} s, FFmpeg decodes {expected:.2f} s"
    except UnusableClipError as unusable:
        return str(unusable).partition(":")[0], ""
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"
    return ("sound", "") if np.isfinite(mel).all() else ("failed", "not finite")


def _ffmpeg_seconds(content: bytes) -> float:
    """Length of what FFmpeg decodes, without any of SongNet's code."""
    seconds = 0.0
    with av.open(io.BytesIO(content), metadata_errors="ignore") as container:
        packets = container.demux(container.streams.best("audio"))
        with suppress(av.FFmpegError):
            for packet in packets:
                with suppress(av.FFmpegError):
                    seconds += sum(frame.samples / frame.sample_rate for frame in packet.decode())
    return seconds


def main() -> None:
    """Fuzz and print what was found; the exit status is 1 where anything was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--archive", type=Path, help="fma_small.zip with real clips to mutate")
    arguments = parser.parse_args()
    outcome = fuzz(arguments.seed, seconds=60 * arguments.minutes, archive=arguments.archive)
    print(f"{outcome.tried} mutated clips: {dict(outcome.reasons.most_common())}")
    print(f"slowest {outcome.slowest:.2f} s, memory {outcome.memory} MiB")
    print(f"crashed {outcome.crashed}, hung {outcome.hung}, failed {outcome.failed}")
    sys.exit(bool(outcome.crashed or outcome.hung or outcome.failed))


if __name__ == "__main__":
    main()
