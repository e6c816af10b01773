"""Write the demo data set: synthetic music in FMA's archive layout, generated offline.

The same seed gives the same bytes. A few files are broken on purpose and one occurs twice, so that
every run exercises the quarantine.
"""

import hashlib
import io
import zipfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile as sf
import soxr
from tqdm import tqdm

from songnet.data.fma_zip import member_name
from songnet.demo.styles import make_artist
from songnet.demo.synthesis import RATE, make_track
from songnet.io import replacing

LICENCE = "CC0 1.0 (synthetic, made by SongNet)"
# FMA's own identifiers of the top genres.
GENRE_IDS = {
    "International": 2,
    "Pop": 10,
    "Rock": 12,
    "Electronic": 15,
    "Folk": 17,
    "Hip-Hop": 21,
    "Experimental": 38,
    "Instrumental": 1235,
}
BROKEN = ["empty", "truncated", "one second", "not mp3", "duplicate"]


def make_demo(
    metadata_zip: str | Path,
    audio_zip: str | Path,
    genres: list[str],
    tracks_per_genre: int,
    artists_per_genre: int,
    seed: int,
    seconds: float = 30.0,
    workers: int = 1,
) -> None:
    """Write ``fma_metadata.zip`` and ``fma_small.zip`` of the demo.

    Args:
        metadata_zip: output path of the metadata archive.
        audio_zip: output path of the audio archive.
        genres: names from `GENRE_IDS`.
        tracks_per_genre: valid tracks per genre; the broken ones are extra.
        artists_per_genre: artists per genre; tracks are distributed evenly among them.
        seed: random seed of the whole data set.
        seconds: length of the clips.
        workers: number of processes that render tracks.
    """
    tracks = _plan(genres, tracks_per_genre, artists_per_genre)
    clips = _render(tracks, seed, seconds, workers)
    tracks, clips = _with_broken(tracks, clips)
    with replacing(audio_zip) as temporary, _Archive(temporary, "fma_small") as archive:
        for track_id in sorted(clips):
            archive.add(member_name("small", track_id), clips[track_id])
    with replacing(metadata_zip) as temporary, _Archive(temporary, "fma_metadata") as archive:
        archive.add("fma_metadata/tracks.csv", _tracks_csv(tracks, seed).encode())
        archive.add("fma_metadata/genres.csv", _genres_csv(tracks).encode())


def _plan(genres: list[str], tracks_per_genre: int, artists_per_genre: int) -> pd.DataFrame:
    """Return one row per track with id, genre, artist and official split."""
    rows = []
    for g, genre in enumerate(genres):
        for t in range(tracks_per_genre):
            a = t % artists_per_genre
            # Artists are not divided between subsets, as in FMA's own split: the last tenth of
            # them is for testing, the tenth before for validation.
            tenth = (artists_per_genre - 1 - a) // max(1, artists_per_genre // 10)
            subset = {0: "test", 1: "validation"}.get(tenth, "training")
            rows.append((1 + g + len(genres) * t, genre, 1 + g * artists_per_genre + a, subset))
    columns = ["track_id", "genre", "artist_id", "split"]
    return pd.DataFrame(rows, columns=columns).set_index("track_id").sort_index()


def _render(tracks: pd.DataFrame, seed: int, seconds: float, workers: int) -> dict[int, bytes]:
    clip = partial(_clip, seed, seconds)
    arguments = list(zip(tracks.index, tracks["genre"], tracks["artist_id"], strict=True))
    bar = partial(tqdm, total=len(arguments), desc="composing", unit="track", disable=None)
    if workers == 1:
        return dict(bar(map(clip, arguments)))
    with ProcessPoolExecutor(workers) as pool:
        return dict(bar(pool.map(clip, arguments, chunksize=4)))


def _clip(seed: int, seconds: float, track: tuple[int, str, int]) -> tuple[int, bytes]:
    """Compose one track and encode it in its artist's format."""
    track_id, genre, artist_id = track
    artist = make_artist(genre, np.random.default_rng([seed, 0, artist_id]))
    samples = make_track(artist, seconds, np.random.default_rng([seed, 1, track_id]))
    samples = soxr.resample(samples, RATE, artist.sample_rate, quality="MQ")
    file = io.BytesIO()
    sf.write(file, samples, artist.sample_rate, format="MP3", compression_level=0.9)
    return track_id, file.getvalue()


def _with_broken(
    tracks: pd.DataFrame, clips: dict[int, bytes]
) -> tuple[pd.DataFrame, dict[int, bytes]]:
    """Append one broken copy of a track for each kind of fault."""
    first = tracks.iloc[: len(BROKEN)]
    broken = first.set_axis(range(tracks.index.max() + 1, tracks.index.max() + 1 + len(BROKEN)))
    second = io.BytesIO()
    sf.write(second, np.zeros(RATE, np.float32), RATE, format="MP3")
    intact = clips[int(first.index[-1])]
    faults = {
        "empty": b"",
        "truncated": intact[: len(intact) // 10],
        "one second": second.getvalue(),
        "not mp3": b"<html><body>404 Not Found</body></html>\n" * 50,
        "duplicate": intact,
    }
    clips = clips | dict(zip(broken.index, (faults[fault] for fault in BROKEN), strict=True))
    return pd.concat([tracks, broken]).rename_axis("track_id"), clips


class _Archive(zipfile.ZipFile):
    """A BZIP2 archive with constant dates and a list of SHA-1 checksums, as FMA's archives have."""

    def __init__(self, path: Path, folder: str) -> None:
        super().__init__(path, "w", zipfile.ZIP_BZIP2)
        self.folder = folder
        self.sums: list[str] = []

    def add(self, name: str, content: bytes) -> None:
        self.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_BZIP2)
        inside = name.removeprefix(f"{self.folder}/")
        self.sums.append(f"{hashlib.sha1(content).hexdigest()}  {inside}\n")

    def close(self) -> None:
        if self.fp is not None and self.sums:
            sums, self.sums = "".join(self.sums), []
            self.writestr(zipfile.ZipInfo(f"{self.folder}/checksums"), sums, zipfile.ZIP_BZIP2)
        super().close()


def _tracks_csv(tracks: pd.DataFrame, seed: int) -> str:
    # Years and durations are random, so that they carry no information about the genre.
    random = np.random.default_rng([seed, 2])
    years = pd.Series(random.integers(2000, 2020, tracks["artist_id"].max() + 1))
    durations = random.integers(120, 360, len(tracks))
    identifiers = tracks["genre"].map(GENRE_IDS)
    genres = identifiers.map(lambda i: f"[{i}]")
    # Some tracks have a second label, as many of FMA's do.
    others = sorted(set(identifiers))
    labels = [
        f"[{i}, {others[(others.index(i) + 1) % len(others)]}]" if track % 5 == 0 else f"[{i}]"
        for track, i in identifiers.items()
    ]
    table = pd.DataFrame(
        {
            ("album", "id"): tracks["artist_id"],
            ("album", "title"): [f"Album {a}" for a in tracks["artist_id"]],
            ("album", "date_released"): [f"{years[a]}-01-01" for a in tracks["artist_id"]],
            ("artist", "id"): tracks["artist_id"],
            ("artist", "name"): [f"Artist {a}" for a in tracks["artist_id"]],
            ("set", "split"): tracks["split"],
            ("set", "subset"): "small",
            ("track", "bit_rate"): 128_000,
            ("track", "duration"): durations,
            ("track", "genre_top"): tracks["genre"],
            ("track", "genres"): genres,
            ("track", "genres_all"): labels,
            ("track", "license"): LICENCE,
            ("track", "title"): [f"{g} {i}" for i, g in tracks["genre"].items()],
        },
        index=tracks.index,
    )
    return table.to_csv(lineterminator="\n")


def _genres_csv(tracks: pd.DataFrame) -> str:
    counts = tracks["genre"].value_counts()
    rows = [(GENRE_IDS[g], n, 0, g, GENRE_IDS[g]) for g, n in counts.items()]
    columns = ["genre_id", "#tracks", "parent", "title", "top_level"]
    return pd.DataFrame(sorted(rows), columns=columns).to_csv(index=False, lineterminator="\n")
