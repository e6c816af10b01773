"""Synthesise music with genres and artists for the demo data set.

A genre is a `Style`: rhythm, harmony and timbre. An artist has habits (tempo, key, mix, room,
equaliser, recording format) that all of their tracks share, so that two tracks by one artist are
more alike than two tracks of one genre, as in real music. Experimental tracks borrow each layer
from another genre.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import fftconvolve, lfilter

from songnet.demo.styles import SCALES, TIMBRES, Artist, Style, Timbre, borrowed, varied

Signal = NDArray[np.float32]

RATE = 22_050  # Hz; tracks are later resampled to their artist's sample rate
PROGRESSION = [0, 4, 5, 3]  # scale degree of each bar: I V vi IV
RELEASE = 0.05  # seconds of fade-out at the end of a note


def make_track(artist: Artist, seconds: float, rng: np.random.Generator) -> Signal:
    """Compose and render one track.

    Returns:
        (samples,) or (samples, 2) float32 at `RATE`, peak 0.9.
    """
    style = varied(borrowed(rng) if artist.genre == "Experimental" else artist.style, rng)
    step = 60 / (artist.tempo * rng.uniform(0.95, 1.05)) / 4
    tonic = artist.tonic + int(rng.choice([-5, -2, 0, 0, 0, 2, 5]))
    samples = int(seconds * RATE)
    out = np.zeros(samples + 4 * RATE, np.float32)
    for bar, start in enumerate(np.arange(0, seconds, 16 * step)):
        _render_bar(out, style, artist, start, step, tonic, PROGRESSION[bar % 4], rng)
    if style.noise:
        out[:samples] += style.noise * artist.mix["noise"] * _texture(samples, rng)
    out = _recorded(out[:samples], artist, rng)
    if artist.stereo:
        late = np.roll(out, int(0.011 * RATE))
        sides = np.stack([out + 0.35 * late, out - 0.35 * late], axis=1)
        return (0.9 * sides / np.abs(sides).max()).astype(np.float32)
    return out


def _render_bar(
    out: Signal, style: Style, artist: Artist, start: float, step: float,
    tonic: int, degree: int, rng: np.random.Generator,
) -> None:  # fmt: skip
    scale, mix = SCALES[style.scale], artist.mix
    for i in range(16):
        at = int((start + (i + style.swing * (i % 2)) * step) * RATE)
        for drum in ("kick", "snare", "hat"):
            if getattr(style, drum)[i : i + 1] == "x":
                _add(out, at, mix[drum] * _drum(drum, int(rng.integers(4))))
        if style.bass[i : i + 1] == "x":
            note = _note(_pitch(tonic - 24, scale, degree), 2 * step, "sub", style.swells)
            _add(out, at, 0.5 * mix["bass"] * note)
        if style.chord[i : i + 1] == "x":
            for third in (0, 2, 4):
                pitch, length = _pitch(tonic, scale, degree + third), style.chord_steps * step
                note = _note(pitch, length, artist.chord_timbre, style.swells)
                _add(out, at, 0.2 * mix["chord"] * note)
        if rng.random() < style.lead_density:
            pitch = _pitch(tonic + 12, scale, degree + int(rng.integers(0, 7)))
            length = step * float(rng.choice([2, 4]))
            note = _note(pitch, length, artist.lead_timbre, style.swells, style.glide)
            _add(out, at, 0.45 * mix["lead"] * note)


def _add(out: Signal, at: int, sound: Signal) -> None:
    end = min(len(out), at + len(sound))
    out[at:end] += sound[: end - at]


def _pitch(tonic: int, scale: list[int], degree: int) -> float:
    """Return the frequency of a scale degree in Hz."""
    octave, index = divmod(degree, len(scale))
    return float(440 * 2 ** ((tonic + 12 * octave + scale[index] - 69) / 12))


@lru_cache(maxsize=128)
def _note(
    frequency: float, seconds: float, timbre_name: str, swells: bool, glide: float = 0.0
) -> Signal:
    """Render a note; cached, because bars repeat their notes."""
    timbre = TIMBRES[timbre_name]
    time = np.arange(int((seconds + RELEASE) * RATE), dtype=np.float32) / RATE
    # The nominal pitch is reached in the middle of a glide.
    bend = 2 ** (glide * (time / time[-1] - 0.5)) if glide else np.ones_like(time)
    if timbre.vibrato:
        bend = bend + timbre.vibrato * np.cos(2 * np.pi * 5.5 * time)
    phase = 2 * np.pi * frequency * np.cumsum(bend, dtype=np.float64) / RATE
    sound = _partials(timbre, frequency, phase.astype(np.float32))
    if timbre.drive:
        sound = np.tanh(timbre.drive * sound) / 2
    envelope = np.minimum(time / timbre.attack, 1) * np.exp(-time / timbre.decay)
    envelope *= np.clip((seconds + RELEASE - time) / RELEASE, 0, 1)
    return (sound * (envelope[::-1] if swells else envelope)).astype(np.float32)


def _partials(timbre: Timbre, frequency: float, phase: Signal) -> Signal:
    sound = np.zeros_like(phase)
    for k in range(1, timbre.partials + 1, 2 if timbre.odd_only else 1):
        if k * frequency > 0.45 * RATE:
            break
        level = k**-timbre.falloff
        if timbre.formants:
            peaks = (np.exp(-(((k * frequency - f) / 250) ** 2)) for f in timbre.formants)
            level *= float(sum(peaks)) + 0.05
        sound += np.float32(level) * np.sin(np.float32(k) * phase)
    return sound


@lru_cache(maxsize=12)
def _drum(name: str, take: int) -> Signal:
    """Render a drum stroke; each take has different noise."""
    seconds, decay = {"kick": (0.25, 0.07), "snare": (0.2, 0.06), "hat": (0.08, 0.02)}[name]
    time = np.arange(int(seconds * RATE), dtype=np.float32) / RATE
    if name == "kick":
        sound = 0.9 * np.sin(2 * np.pi * (50 * time - 90 * 0.03 * np.expm1(-time / 0.03)))
        return (np.exp(-time / decay) * sound).astype(np.float32)
    noise = np.random.default_rng(take).standard_normal(len(time))
    if name == "hat":
        sound = 0.2 * np.diff(noise, prepend=0)
    else:
        sound = 0.25 * noise + 0.4 * np.sin(2 * np.pi * 190 * time)
    return (np.exp(-time / decay) * sound).astype(np.float32)


def _texture(samples: int, rng: np.random.Generator) -> Signal:
    """Render noise with a slow swell and a resonance."""
    noise = rng.standard_normal(samples, np.float32)
    angle = 2 * np.pi * rng.uniform(200, 4000) / RATE
    coloured = lfilter([1.0], [1.0, -1.9 * np.cos(angle), 0.9025], noise)
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.05, 0.5) * np.arange(samples) / RATE)
    return (coloured / np.abs(coloured).max() * swell).astype(np.float32)


def _recorded(dry: Signal, artist: Artist, rng: np.random.Generator) -> Signal:
    """Apply the room, equaliser and noise of an artist's recordings, and scale the peak to 0.9."""
    length = int(min(artist.room, 1.5) * RATE) + 1
    tail = rng.standard_normal(length, np.float32) * np.exp(
        -6.9 * np.arange(length, dtype=np.float32) / length
    )
    wet = fftconvolve(dry, tail / np.float32(np.sqrt(length)))[: len(dry)]
    size = next_fast_len(len(dry), real=True)
    spectrum = rfft(dry + np.float32(0.4) * wet, size)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / RATE), 60) / 1000)
    spectrum *= (10 ** (artist.tilt * octaves / 20)).astype(np.float32)
    out = irfft(spectrum, size)[: len(dry)]
    out = out / np.abs(out).max() + np.float32(artist.hiss) * rng.standard_normal(
        len(out), np.float32
    )
    return (0.9 * out / np.abs(out).max()).astype(np.float32)
