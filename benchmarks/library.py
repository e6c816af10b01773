"""Speed of tagging a library, compared with decoding its excerpts alone and with a plain script.

The songs last four minutes and are concatenated clips of an archive, in common formats. All methods
use one process per core. CPU time is measured, which is robust against other work on the machine.
"""

import io
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import psutil
import soundfile as sf
from numpy.typing import NDArray

from benchmarks.measure import Section, Times, in_turn, spread
from songnet.features.excerpt import middle
from songnet.library.scan import Found
from songnet.library.workers import Workers
from songnet.parallel import cores

RATE = 44_100  # Hz
SONG_SECONDS = 240
EXCERPT_SECONDS = 30.0
SONGS = 6  # per format
PLAIN_SONGS = 2  # songs for the plain script


class Format(NamedTuple):
    """Encoding of songs."""

    title: str
    suffix: str
    codec: str
    bit_rate: int  # bit/s; not used for FLAC
    rate: int = RATE  # Hz


FORMATS = [
    Format("MP3, 192 kbit/s", ".mp3", "libmp3lame", 192_000),
    Format("AAC in MP4, 160 kbit/s", ".m4a", "aac", 160_000),
    Format("Opus, 128 kbit/s", ".opus", "libopus", 128_000, 48_000),
    Format("FLAC", ".flac", "flac", 0),
]


def measure(archive: Path, model: Path, repeats: int) -> list[Section]:
    """Compare the methods on songs made of an archive's clips."""
    import tempfile

    with tempfile.TemporaryDirectory() as name, _processes() as pool:
        songs = make_songs(archive, Path(name))
        with Workers(str(model), EXCERPT_SECONDS, cores()) as workers:
            rates = {form: _excerpts(songs[form], pool, workers, repeats) for form in FORMATS}
            beside = _plain(songs[FORMATS[0]], model, pool, workers, repeats)
    return [_section(rates, beside)]


def _excerpts(
    songs: list[Path], pool: ProcessPoolExecutor, workers: Workers, repeats: int
) -> dict[str, Times]:
    """Measure excerpts per second and core for each method."""
    ways: dict[str, Callable[[], object]] = {
        "decode": lambda: list(pool.map(decode_excerpt, songs)),
        "tag": lambda: _tag(workers, songs),
    }
    times = in_turn(ways, repeats, _processor_seconds)
    return {way: len(songs) / seconds for way, seconds in times.items()}


def _plain(
    songs: list[Path], model: Path, pool: ProcessPoolExecutor, workers: Workers, repeats: int
) -> dict[str, Times]:
    """Measure songs per second and core for the plain script and SongNet."""
    few = songs[:PLAIN_SONGS]
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: list(pool.map(partial(plain_script, model), few)),
        "tag": lambda: _tag(workers, songs),
    }
    times = in_turn(ways, repeats, _processor_seconds)
    return {"plain": len(few) / times["plain"], "tag": len(songs) / times["tag"]}


def _processor_seconds() -> float:
    """Return the CPU time of this process and its children."""
    this = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in [this, *this.children(recursive=True)])


def _tag(workers: Workers, songs: list[Path]) -> None:
    found = [Found(str(path), path.stat().st_size, path.stat().st_mtime) for path in songs]
    for line in workers.rows(found):
        assert '"error": null' in line, line


def decode_excerpt(path: Path) -> float:
    """Decode the excerpt of a song, with the same decoder, and nothing else."""
    with path.open("rb") as file:
        return middle(file, EXCERPT_SECONDS).start_seconds


def plain_script(model: Path, path: Path) -> NDArray[np.float32]:
    """Classify a song the obvious way: load it with librosa and apply the network."""
    import librosa
    import torch

    network = _network(model)
    samples, rate = librosa.load(path, sr=network.spectrogram.sample_rate)
    mel = librosa.feature.melspectrogram(
        y=samples, sr=rate, n_fft=network.spectrogram.n_fft,
        hop_length=network.spectrogram.hop_length, n_mels=network.spectrogram.bands,
    )  # fmt: skip
    level = librosa.power_to_db(mel, top_db=None).astype(np.float32)
    with torch.inference_mode():
        return network.saved.network(torch.from_numpy(level)[None]).clip_logits[0, -1].exp().numpy()


_networks: dict[Path, Any] = {}


def _network(model: Path) -> Any:
    """Load a network once per process."""
    import torch

    import songnet

    if model not in _networks:
        torch.set_num_threads(1)
        _networks[model] = songnet.load(model)
    return _networks[model]


@contextmanager
def _processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(cores(), get_context("spawn")) as pool:
        yield pool


def _section(rates: dict[Format, dict[str, Times]], beside: dict[str, Times]) -> Section:
    rows = [_row(form.title, found) for form, found in rates.items()]
    # All formats have the same number of songs, so that times can be added.
    whole = {
        way: len(rates) / np.sum([1 / found[way] for found in rates.values()], axis=0)
        for way in ("decode", "tag")
    }
    rows.append(_row("all formats together", whole))
    gain = beside["tag"] / beside["plain"]
    rows.append({
        "songs": f"{FORMATS[0].title}, by a plain script",
        "excerpts decoded per second": "",
        "excerpts tagged per second": spread(beside["plain"]) + " whole songs",
        "tagged ÷ decoded": "",
        "tagged ÷ plain script": spread(gain, 1),
    })  # fmt: skip
    return Section(
        "A library",
        f"Songs of {SONG_SECONDS // 60} minutes, {EXCERPT_SECONDS:g} s from the middle of each, "
        f"{cores()} processes: decoding the excerpts alone with SongNet's decoder, `songnet tag` "
        "after its start-up, and a plain script (librosa loads the whole song, and the network "
        "processes its mel-spectrogram). Values are per core.",
        rows,
        {"a library: plain script": gain},
    )


def _row(title: str, rates: dict[str, Times]) -> dict[str, str]:
    return {
        "songs": title,
        "excerpts decoded per second": spread(rates["decode"], 1),
        "excerpts tagged per second": spread(rates["tag"], 1),
        "tagged ÷ decoded": spread(rates["tag"] / rates["decode"]),
        "tagged ÷ plain script": "",
    }


def make_songs(archive: Path, folder: Path) -> dict[Format, list[Path]]:
    """Concatenate clips of an archive to songs, and encode them in all formats."""
    music = _music(archive)
    found: dict[Format, list[Path]] = {form: [] for form in FORMATS}
    for place, samples in enumerate(islice(music, SONGS)):
        for form in FORMATS:
            path = folder / f"{place}{form.suffix}"
            _encode(path, samples, form)
            found[form].append(path)
    return found


def _music(archive: Path) -> Iterator[NDArray[np.float32]]:
    """Yield stereo samples of the length of a song, (n, 2), indefinitely."""
    size, waiting, count = SONG_SECONDS * RATE, [], 0
    with zipfile.ZipFile(archive) as clips:
        names = [name for name in clips.namelist() if name.endswith(".mp3")]
        while True:
            for name in names:
                try:
                    samples, _ = sf.read(
                        io.BytesIO(clips.read(name)), dtype="float32", always_2d=True
                    )
                except sf.LibsndfileError:  # archives contain some broken clips
                    continue
                if len(samples) > RATE:  # the sample rate does not matter here
                    waiting.append(samples[:, [0, -1]])
                    count += len(samples)
                if count >= size:
                    yield np.concatenate(waiting)[:size]
                    waiting, count = [], 0


def _encode(path: Path, samples: NDArray[np.float32], form: Format) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(form.codec, rate=form.rate, layout="stereo")
        if form.bit_rate:
            stream.bit_rate = form.bit_rate
        for piece in np.split(samples, range(RATE, len(samples), RATE)):
            planes = np.ascontiguousarray(piece.T)
            frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout="stereo")
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
