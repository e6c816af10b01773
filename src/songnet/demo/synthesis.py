"""Synthetic music with genres and artists, for the demo data set.

A genre is a `Style`: rhythm, harmony and timbre. An artist draws habits once (tempo, key, mix,
room, equaliser, recording format) and keeps them through all tracks, so that two tracks of one
artist resemble each other more than two of one genre, as in real music. Experimental tracks
borrow each layer from another genre.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.signal import fftconvolve, lfilter

Signal = NDArray[np.float32]

RATE = 22_050  # Hz; tracks are resampled to their artist's format afterwards
SCALES = {
    "major": [0, 2, 4, 5, 7, 9, 11],
    "minor": [0, 2, 3, 5, 7, 8, 10],
    "dorian": [0, 2, 3, 5, 7, 9, 10],
    "phrygian dominant": [0, 1, 4, 5, 7, 8, 10],
    "chromatic": list(range(12)),
}


@dataclass(frozen=True)
class Timbre:
    """Additive synthesis: partials with a fall-off, an envelope, a vibrato, formants."""

    partials: int
    falloff: float  # amplitude of partial k is k ** -falloff
    odd_only: bool = False
    attack: float = 0.01  # seconds
    decay: float = 0.5  # seconds to 1/e
    vibrato: float = 0.0  # relative depth at 5.5 Hz
    formants: tuple[float, ...] = ()  # Hz
    drive: float = 0.0  # tanh distortion


TIMBRES = {
    "piano": Timbre(10, 1.4, decay=0.6),
    "plucked": Timbre(14, 1.0, decay=0.25),
    "strings": Timbre(12, 1.2, attack=0.2, decay=4.0, vibrato=0.004),
    "saw": Timbre(20, 0.9, attack=0.005, decay=0.8),
    "square": Timbre(18, 1.0, odd_only=True, decay=0.5),
    "guitar": Timbre(12, 0.9, attack=0.005, decay=1.2, drive=6.0),
    "voice": Timbre(18, 0.7, attack=0.06, decay=3.0, vibrato=0.012, formants=(600, 1100, 2600)),
    "reed": Timbre(16, 0.6, odd_only=True, attack=0.03, decay=2.0, vibrato=0.02),
    "sub": Timbre(3, 1.8, attack=0.01, decay=0.9),
    "bell": Timbre(7, 0.5, odd_only=True, decay=1.5),
}


@dataclass(frozen=True)
class Style:
    """What a genre sounds like. Drum patterns are bars of 16 steps."""

    tempo: tuple[float, float]  # beats a minute
    scale: str
    kick: str = ""
    snare: str = ""
    hat: str = ""
    bass: str = ""  # steps that sound the root
    bass_timbre: str = "sub"
    chord: str = ""  # steps that sound a triad
    chord_timbre: str = "piano"
    chord_steps: int = 4  # length in steps
    lead_timbre: str = ""
    lead_density: float = 0.0  # notes a step
    swing: float = 0.0  # delay of every second step, as a share of a step
    noise: float = 0.0  # level of a texture of filtered noise


STYLES = {
    "Instrumental": Style(
        (62, 92), "major", chord="x.......x.......", chord_timbre="strings", chord_steps=8,
        lead_timbre="piano", lead_density=0.4,
    ),
    "Rock": Style(
        (112, 152), "minor", kick="x.....x.x.....x.", snare="....x.......x...",
        hat="x.x.x.x.x.x.x.x.", bass="x.x.x.x.x.x.x.x.", chord="x..x..x.x..x..x.",
        chord_timbre="guitar", chord_steps=3, lead_timbre="voice", lead_density=0.15,
    ),
    "Electronic": Style(
        (118, 136), "minor", kick="x...x...x...x...", snare="....x.......x...",
        hat="..x...x...x...x.", bass="..xx..xx..xx..xx", bass_timbre="saw",
        chord="x.....x...x.....", chord_timbre="saw", lead_timbre="square", lead_density=0.25,
    ),
    "International": Style(
        (92, 124), "phrygian dominant", kick="x..x..x...x.x...", hat="x.xx.xx.x.xx.xx.",
        bass="x.....x.........", chord="", lead_timbre="reed", lead_density=0.45, swing=0.1,
    ),
    "Pop": Style(
        (98, 126), "major", kick="x...x...x...x...", snare="....x.......x..x",
        hat="x.x.x.x.x.x.x.x.", bass="x...x.x.x...x.x.", chord="x...x...x...x...",
        chord_timbre="piano", lead_timbre="voice", lead_density=0.3,
    ),
    "Hip-Hop": Style(
        (80, 98), "dorian", kick="x..x......xx....", snare="....x.......x...",
        hat="x.x.x.xxx.x.x.x.", bass="x..x......x.....", chord="x...............",
        chord_timbre="bell", chord_steps=6, lead_timbre="voice", lead_density=0.35, swing=0.3,
    ),
    "Folk": Style(
        (82, 118), "major", bass="x.......x.......", bass_timbre="plucked",
        chord="x.x.xx.xx.x.xx.x", chord_timbre="plucked", chord_steps=2,
        lead_timbre="voice", lead_density=0.2,
    ),
    "Experimental": Style((50, 170), "chromatic", noise=0.2),
}  # fmt: skip


@dataclass(frozen=True)
class Artist:
    """Habits that all tracks of an artist share."""

    genre: str
    style: Style
    tempo: float
    tonic: int  # MIDI number
    mix: dict[str, float]  # gain of each layer
    tilt: float  # equaliser, dB an octave above 1 kHz
    room: float  # reverberation time in seconds
    hiss: float  # level of recording noise
    sample_rate: int  # Hz of the mp3
    stereo: bool


def make_artist(genre: str, rng: np.random.Generator) -> Artist:
    """Draw an artist's habits, some of them from other genres."""
    style = STYLES[genre]
    for layer in LAYERS:
        if rng.random() < 0.15:
            style = _with_layer(style, layer, _other_style(genre, rng))
    layers = ["kick", "snare", "hat", "bass", "chord", "lead", "noise"]
    return Artist(
        genre=genre,
        style=style,
        tempo=rng.uniform(*style.tempo) * rng.uniform(0.85, 1.15),
        tonic=int(rng.integers(48, 60)),
        mix={layer: float(np.exp(rng.normal(0, 0.5))) for layer in layers},
        tilt=rng.normal(-2, 2.5),
        room=float(np.exp(rng.normal(-1.2, 0.6))),
        hiss=float(10 ** rng.uniform(-4.5, -2.5)),
        sample_rate=int(rng.choice([22_050, 22_050, 22_050, 32_000, 44_100, 48_000])),
        stereo=bool(rng.random() < 0.3),
    )


def make_track(artist: Artist, seconds: float, rng: np.random.Generator) -> Signal:
    """Compose and render one track.

    Returns:
        (samples,) or (samples, 2) float32 at `RATE`, peak 0.9.
    """
    style = _borrowed(rng) if artist.genre == "Experimental" else _varied(artist.style, rng)
    step = 60 / (artist.tempo * rng.uniform(0.95, 1.05)) / 4
    tonic = artist.tonic + int(rng.choice([-5, -2, 0, 0, 0, 2, 5]))
    samples = int(seconds * RATE)
    out = np.zeros(samples + 4 * RATE, np.float32)
    for bar, start in enumerate(np.arange(0, seconds, 16 * step)):
        _render_bar(out, style, artist.mix, start, step, tonic, _PROGRESSION[bar % 4], rng)
    out[:samples] += style.noise * artist.mix["noise"] * _texture(samples, rng)
    out = _recorded(out[:samples], artist, rng)
    if artist.stereo:
        late = np.roll(out, int(0.011 * RATE))
        sides = np.stack([out + 0.35 * late, out - 0.35 * late], axis=1)
        return (0.9 * sides / np.abs(sides).max()).astype(np.float32)
    return out


_PROGRESSION = [0, 4, 5, 3]  # scale degrees of the bars: I V vi IV


def _varied(style: Style, rng: np.random.Generator) -> Style:
    """Vary a style for one track: now and then a layer rests or changes its sound."""
    if rng.random() < 0.25:
        style = replace(style, hat="")
    if style.lead_timbre and rng.random() < 0.3:
        style = replace(style, lead_timbre=str(rng.choice(["piano", "voice", "plucked", "square"])))
    return replace(style, lead_density=style.lead_density * rng.uniform(0.6, 1.4))


# Fields of a style that belong together.
LAYERS = {
    "drums": ["kick", "snare", "hat", "swing"],
    "bass": ["bass", "bass_timbre"],
    "chord": ["chord", "chord_timbre", "chord_steps"],
    "lead": ["lead_timbre", "lead_density"],
    "scale": ["scale"],
}


def _with_layer(style: Style, layer: str, other: Style) -> Style:
    return replace(style, **{field: getattr(other, field) for field in LAYERS[layer]})


def _other_style(genre: str, rng: np.random.Generator) -> Style:
    """Style of a genre that is neither this one nor Experimental."""
    others = [name for name in STYLES if name not in (genre, "Experimental")]
    return STYLES[str(rng.choice(others))]


def _borrowed(rng: np.random.Generator) -> Style:
    """An Experimental track: every layer comes from a genre of its own."""
    style = replace(STYLES["Experimental"], noise=0.15 * rng.random())
    for layer in LAYERS:
        style = _with_layer(style, layer, _other_style("Experimental", rng))
    return style


def _render_bar(
    out: Signal, style: Style, mix: dict[str, float], start: float, step: float,
    tonic: int, degree: int, rng: np.random.Generator,
) -> None:  # fmt: skip
    scale = SCALES[style.scale]
    for i in range(16):
        at = int((start + (i + style.swing * (i % 2)) * step) * RATE)
        for drum in ("kick", "snare", "hat"):
            if getattr(style, drum)[i : i + 1] == "x":
                _add(out, at, mix[drum] * _drum(drum, rng))
        if style.bass[i : i + 1] == "x":
            note = _note(_pitch(tonic - 24, scale, degree), 2 * step, style.bass_timbre)
            _add(out, at, 0.5 * mix["bass"] * note)
        if style.chord[i : i + 1] == "x":
            for third in (0, 2, 4):
                pitch = _pitch(tonic, scale, degree + third)
                note = _note(pitch, style.chord_steps * step, style.chord_timbre)
                _add(out, at, 0.18 * mix["chord"] * note)
        if style.lead_timbre and rng.random() < style.lead_density:
            pitch = _pitch(tonic + 12, scale, degree + int(rng.integers(0, 7)))
            length = step * float(rng.choice([1, 2, 4]))
            _add(out, at, 0.3 * mix["lead"] * _note(pitch, length, style.lead_timbre))


def _add(out: Signal, at: int, sound: Signal) -> None:
    end = min(len(out), at + len(sound))
    out[at:end] += sound[: end - at]


def _pitch(tonic: int, scale: list[int], degree: int) -> float:
    """Frequency in Hz of a scale degree."""
    octave, index = divmod(degree, len(scale))
    return float(440 * 2 ** ((tonic + 12 * octave + scale[index] - 69) / 12))


@lru_cache(maxsize=128)
def _note(frequency: float, seconds: float, timbre_name: str) -> Signal:
    """Render a note; bars repeat theirs."""
    timbre = TIMBRES[timbre_name]
    time = np.arange(int((seconds + 0.05) * RATE), dtype=np.float32) / RATE
    phase = 2 * np.pi * frequency * time
    if timbre.vibrato:
        phase += timbre.vibrato * frequency / 5.5 * np.sin(2 * np.pi * 5.5 * time)
    sound = np.zeros_like(time)
    for k in range(1, timbre.partials + 1, 2 if timbre.odd_only else 1):
        if k * frequency > 0.45 * RATE:
            break
        level = k**-timbre.falloff
        if timbre.formants:
            level *= (
                sum(np.exp(-(((k * frequency - f) / 250) ** 2)) for f in timbre.formants) + 0.05
            )
        sound += np.float32(level) * np.sin(np.float32(k) * phase)
    envelope = np.minimum(time / timbre.attack, 1) * np.exp(-time / timbre.decay)
    envelope *= np.clip((seconds + 0.05 - time) / 0.05, 0, 1)
    sound *= envelope
    return (np.tanh(timbre.drive * sound) / 2 if timbre.drive else sound).astype(np.float32)


def _drum(name: str, rng: np.random.Generator) -> Signal:
    seconds, decay = {"kick": (0.25, 0.07), "snare": (0.2, 0.06), "hat": (0.08, 0.02)}[name]
    time = np.arange(int(seconds * RATE), dtype=np.float32) / RATE
    if name == "kick":
        sound = np.sin(2 * np.pi * (50 * time - 90 * 0.03 * np.expm1(-time / 0.03)))
        return (0.9 * np.exp(-time / decay) * sound).astype(np.float32)
    noise = rng.standard_normal(len(time))
    if name == "hat":
        sound = 0.2 * np.diff(noise, prepend=0)
    else:
        sound = 0.25 * noise + 0.4 * np.sin(2 * np.pi * 190 * time)
    return (np.exp(-time / decay) * sound).astype(np.float32)


def _texture(samples: int, rng: np.random.Generator) -> Signal:
    """Noise that swells slowly, coloured by a resonance."""
    noise = rng.standard_normal(samples).astype(np.float32)
    angle = 2 * np.pi * rng.uniform(200, 4000) / RATE
    coloured = lfilter([1.0], [1.0, -1.9 * np.cos(angle), 0.9025], noise)
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.05, 0.5) * np.arange(samples) / RATE)
    return (coloured / np.abs(coloured).max() * swell).astype(np.float32)


def _recorded(dry: Signal, artist: Artist, rng: np.random.Generator) -> Signal:
    """Room, equaliser and noise of an artist's recordings; peak 0.9."""
    length = int(min(artist.room, 1.5) * RATE) + 1
    tail = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    wet = fftconvolve(dry, tail.astype(np.float32) / np.sqrt(length))[: len(dry)]
    spectrum = rfft(dry + 0.4 * wet)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(dry), 1 / RATE), 60) / 1000)
    spectrum *= (10 ** (artist.tilt * octaves / 20)).astype(np.float32)
    out = irfft(spectrum, len(dry))
    out = out / np.abs(out).max() + artist.hiss * rng.standard_normal(len(out))
    return (0.9 * out / np.abs(out).max()).astype(np.float32)
