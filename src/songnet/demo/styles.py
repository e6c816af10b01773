"""Musical styles of the demo's genres and artists.

Genres come in pairs with the same timbres, so timbre statistics can identify the pair, as in real
music. The two genres of a pair differ only in time: notes decay or swell, melodies rise or fall.
Features that ignore the order of frames confuse them; networks can tell them apart.
"""

from dataclasses import dataclass, replace

import numpy as np

SCALES = {
    "major": [0, 2, 4, 5, 7, 9, 11],
    "minor": [0, 2, 3, 5, 7, 8, 10],
    "dorian": [0, 2, 3, 5, 7, 9, 10],
    "phrygian dominant": [0, 1, 4, 5, 7, 8, 10],
    "chromatic": list(range(12)),
}


@dataclass(frozen=True)
class Timbre:
    """Parameters of additive synthesis."""

    partials: int
    falloff: float  # amplitude of partial k is k ** -falloff
    odd_only: bool = False
    attack: float = 0.01  # seconds
    decay: float = 0.5  # seconds until the amplitude is 1/e
    vibrato: float = 0.0  # relative depth at 5.5 Hz
    formants: tuple[float, ...] = ()  # Hz
    drive: float = 0.0  # gain before tanh distortion, 0 for none


TIMBRES = {
    "piano": Timbre(10, 1.4, decay=0.3),
    "plucked": Timbre(14, 1.0, decay=0.2),
    "strings": Timbre(12, 1.2, decay=0.4, vibrato=0.004),
    "saw": Timbre(20, 0.9, decay=0.3),
    "square": Timbre(18, 1.0, odd_only=True, decay=0.25),
    "guitar": Timbre(12, 0.9, decay=0.35, drive=6.0),
    "voice": Timbre(18, 0.7, decay=0.4, vibrato=0.012, formants=(600, 1100, 2600)),
    "reed": Timbre(16, 0.6, odd_only=True, decay=0.4, vibrato=0.02),
    "sub": Timbre(3, 1.8, decay=0.4),
    "bell": Timbre(7, 0.5, odd_only=True, decay=0.5),
}


@dataclass(frozen=True)
class Style:
    """Style of a genre. Patterns are bars of 16 steps, in which x starts a note."""

    tempo: tuple[float, float]  # range in beats per minute
    scale: str
    timbres: tuple[str, ...]  # candidates for an artist's chord and lead timbres
    kick: str = ""
    snare: str = ""
    hat: str = ""
    bass: str = ""  # plays the root
    chord: str = ""  # plays a triad
    chord_steps: int = 4  # length of a chord in steps
    lead_density: float = 0.0  # probability of a lead note per step
    swing: float = 0.0  # delay of every second step, as a fraction of a step
    swells: bool = False  # whether notes swell instead of decaying
    glide: float = 0.0  # octaves by which a lead note rises
    noise: float = 0.0  # level of a filtered-noise texture


_ACOUSTIC = ("piano", "plucked", "strings")
_DRIVEN = ("saw", "square", "guitar")
_SUNG = ("voice", "reed", "piano")
_LOW = ("bell", "sub", "voice")
STYLES = {
    "Folk": Style(
        (82, 118), "major", _ACOUSTIC, bass="x.......x.......", chord="x..x..x.x..x..x.",
        lead_density=0.2,
    ),
    "Instrumental": Style(
        (74, 110), "major", _ACOUSTIC, bass="x.......x.......", chord="x...x..xx...x..x",
        lead_density=0.2, swells=True,
    ),
    "Rock": Style(
        (112, 146), "minor", _DRIVEN, kick="x.....x.x.....x.", snare="....x.......x...",
        hat="x.x.x.x.x.x.x.x.", bass="x.x.x.x.x.x.x.x.", chord="x..x..x.x..x..x.",
        lead_density=0.25, glide=-0.2,
    ),
    "Electronic": Style(
        (116, 136), "minor", _DRIVEN, kick="x...x...x...x...", snare="....x.......x...",
        hat="..x...x...x...x.", bass="..xx..xx..xx..xx", chord="x..x..x.x..x..x.",
        lead_density=0.25, swells=True, glide=0.2,
    ),
    "Pop": Style(
        (96, 126), "major", _SUNG, kick="x...x...x...x...", snare="....x.......x..x",
        hat="x.x.x.x.x.x.x.x.", bass="x...x.x.x...x.x.", chord="x.......x.......",
        lead_density=0.4, glide=0.4,
    ),
    "International": Style(
        (92, 124), "phrygian dominant", _SUNG, kick="x..x..x...x.x...",
        snare="....x.......x...", hat="x.xx.xx.x.xx.xx.", bass="x.....x.x.......",
        chord="x.......x.......", lead_density=0.4, swing=0.1, glide=-0.4,
    ),
    "Hip-Hop": Style(
        (80, 100), "dorian", _LOW, kick="x..x......xx....", snare="....x.......x...",
        hat="x.x.x.xxx.x.x.x.", bass="x..x......x.....", chord="x.......x.......",
        chord_steps=6, lead_density=0.35, swing=0.3,
    ),
    "Experimental": Style((70, 140), "chromatic", _LOW, noise=0.1),
}  # fmt: skip
# Fields of a style that are exchanged together.
LAYERS = {
    "drums": ["kick", "snare", "hat", "swing"],
    "bass": ["bass"],
    "chord": ["chord", "chord_steps", "swells"],
    "lead": ["lead_density", "glide"],
    "scale": ["scale"],
    "timbres": ["timbres"],
}
PARTS = ("kick", "snare", "hat", "bass", "chord", "lead", "noise")  # of the mix


@dataclass(frozen=True)
class Artist:
    """Habits that all tracks of an artist share."""

    genre: str
    style: Style
    chord_timbre: str
    lead_timbre: str
    tempo: float
    tonic: int  # MIDI number
    mix: dict[str, float]  # gain of each part
    tilt: float  # slope of the equaliser around 1 kHz, dB per octave
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
    if genre == "Experimental":
        style = replace(borrowed(rng), timbres=style.timbres, noise=style.noise)
    chord, lead = (
        rng.choice(style.timbres if rng.random() < 0.75 else sorted(TIMBRES)) for _ in range(2)
    )
    return Artist(
        genre=genre,
        style=style,
        chord_timbre=str(chord),
        lead_timbre=str(lead),
        tempo=rng.uniform(*style.tempo) * rng.uniform(0.9, 1.1),
        tonic=int(rng.integers(48, 60)),
        mix={part: float(np.exp(rng.normal(0, 0.4))) for part in PARTS},
        tilt=rng.normal(-2, 2.5),
        room=float(np.exp(rng.normal(-1.6, 0.6))),
        hiss=float(10 ** rng.uniform(-4.5, -2.5)),
        sample_rate=int(rng.choice([22_050] * 8 + [44_100, 48_000])),
        stereo=bool(rng.random() < 0.2),
    )


def varied(style: Style, rng: np.random.Generator) -> Style:
    """Vary a style for one track: sometimes drop the hi-hat, and change the lead's density."""
    if rng.random() < 0.25:
        style = replace(style, hat="")
    return replace(style, lead_density=style.lead_density * rng.uniform(0.6, 1.4))


def borrowed(rng: np.random.Generator) -> Style:
    """Compose an Experimental style by borrowing each layer from a random genre."""
    style = STYLES["Experimental"]
    for layer in LAYERS:
        style = _with_layer(style, layer, _other_style("Experimental", rng))
    return style


def _with_layer(style: Style, layer: str, other: Style) -> Style:
    return replace(style, **{field: getattr(other, field) for field in LAYERS[layer]})


def _other_style(genre: str, rng: np.random.Generator) -> Style:
    """Draw the style of another genre, except Experimental."""
    others = [name for name in STYLES if name not in (genre, "Experimental")]
    return STYLES[str(rng.choice(others))]
