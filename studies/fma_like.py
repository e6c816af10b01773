"""FMA-small's list of tracks, and archives of its size and shape made of a few clips."""

import bz2
import hashlib
import io
import zipfile
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile as sf
import soxr
from numpy.typing import NDArray

from songnet.data.fma_zip import FmaZip, member_name
from songnet.data.tracks import read_tracks
from songnet.demo.archives import GENRE_IDS
from songnet.demo.styles import make_artist
from songnet.demo.synthesis import RATE as SYNTHESIS_RATE
from songnet.demo.synthesis import make_track
from songnet.errors import UnusableClipError
from songnet.features.audio import decode
from studies.bzip2 import join, write_packed

# Seconds of FMA-small's broken clips; of three nothing but the tag is there.
BROKEN = {98565: 1.6, 98567: 0.5, 98569: 1.5, 99134: 0.0, 108925: 0.0, 133297: 0.0}
TRACKS_PER_GENRE = {"training": 800, "validation": 100, "test": 100}
WITHOUT_ARTIST = 79
LARGEST_ID = 155_066
RATE = 44_100
LEVEL = (320 - 256) / (320 - 32)  # libsndfile's name of 256 kbit/s, FMA-small's mean


def small_tracks(folder: str | Path | None = None) -> pd.DataFrame:
    """FMA-small's 8,000 tracks.

    Args:
        folder: where FMA's ``fma_metadata.zip`` lies; where a list ``fma_small_official_split.csv``
            (track_id, split, genre_top) lies beside it, that list counts, and the archive tells
            the artists that it knows. Without a folder, all is invented in the same numbers.

    Returns:
        Index track_id in order; genre, official_split, artist_id.
    """
    rng = np.random.default_rng(0)
    if folder is None:
        others = np.setdiff1d(np.arange(2, LARGEST_ID + 1), list(BROKEN))
        number = len(GENRE_IDS) * sum(TRACKS_PER_GENRE.values())
        # The broken ones come first, so that they are training tracks, as FMA's.
        ids = np.append(list(BROKEN), rng.choice(others, number - len(BROKEN), replace=False))
        tracks = pd.DataFrame(index=pd.Index(ids, name="track_id"))
        tracks["genre"] = np.tile(list(GENRE_IDS), number // len(GENRE_IDS))
        subsets = np.repeat(list(TRACKS_PER_GENRE), list(TRACKS_PER_GENRE.values()))
        tracks["official_split"] = np.repeat(subsets, len(GENRE_IDS))
        tracks["artist_id"] = _invented_artists(tracks, rng)
        tracks.loc[rng.choice(tracks.index, WITHOUT_ARTIST, replace=False), "artist_id"] = np.nan
        return tracks.sort_index()
    known = read_tracks(str(Path(folder, "fma_metadata.zip")))
    known = known.loc[known["subset"] <= "small", ["genre", "official_split", "artist_id"]]
    listed = Path(folder, "fma_small_official_split.csv")
    if not listed.exists():
        return known
    tracks = pd.read_csv(listed, index_col="track_id")[["genre_top", "split"]]
    tracks.columns = pd.Index(["genre", "official_split"])
    # The list leaves out the clips without audio; each genre has a thousand tracks.
    lacking = sorted(set(BROKEN) - set(tracks.index))
    genres = tracks["genre"].value_counts()
    short = [genre for genre in sorted(genres.index) for _ in range(1000 - genres[genre])]
    for track_id, genre in zip(lacking, short, strict=True):
        tracks.loc[track_id] = {"genre": genre, "official_split": "training"}
    tracks["artist_id"] = known["artist_id"].reindex(tracks.index)
    strangers = tracks[~tracks.index.isin(known.index)]
    tracks.loc[strangers.index, "artist_id"] = _invented_artists(strangers, rng)
    return tracks.sort_index()


def _invented_artists(tracks: pd.DataFrame, rng: np.random.Generator) -> "pd.Series[float]":
    """Artists of one subset each: half have one track, a few have hundreds, some two genres."""
    artists = pd.Series(np.nan, index=tracks.index)
    first = 1_000_000  # beyond FMA's own numbers
    for _, subset in tracks.groupby("official_split"):
        for _, group in subset.groupby("genre"):
            sizes = np.minimum(rng.zipf(2.1, len(group)), 200)
            artists[group.index] = first + np.repeat(np.arange(len(group)), sizes)[: len(group)]
            first += len(group)
        mixed = rng.choice(subset.index, len(subset) // 10, replace=False)
        artists[mixed] = artists[rng.permutation(mixed)].to_numpy()
    return artists


def in_rounds(tracks: pd.DataFrame) -> pd.DataFrame:
    """Reorder so that the first 8 k tracks are k of each genre, drawn at random."""
    shuffled = tracks.sample(frac=1, random_state=0)
    turn = shuffled.groupby("genre").cumcount()
    return shuffled.loc[turn.sort_values(kind="stable").index]


def write_metadata(path: Path, tracks: pd.DataFrame) -> None:
    """Write ``fma_metadata.zip`` with the columns of tracks.csv that the workflow needs."""
    table = pd.DataFrame(
        {
            ("artist", "id"): tracks["artist_id"].astype("Int64"),
            ("set", "split"): tracks["official_split"],
            ("set", "subset"): "small",
            ("track", "genre_top"): tracks["genre"],
        }
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("fma_metadata/tracks.csv", table.sort_index().to_csv())


def clip_pool(number: int, source: Path | None, workers: int, seconds: int = 30) -> list[bytes]:
    """Clips of 44.1 kHz, stereo, 256 kbit/s.

    Args:
        number: how many at most.
        source: an audio archive whose first clips are encoded again; None composes some.
        workers: processes.
        seconds: of each clip; of FMA's they are 30.
    """
    with ProcessPoolExecutor(workers) as pool:
        if source is None:
            return list(pool.map(partial(_composed, seconds=seconds), range(number)))
        ids = sorted(FmaZip([str(source)]).track_ids())[:number]
        return list(filter(None, pool.map(partial(_taken, source, seconds=seconds), ids)))


def _composed(i: int, seconds: int) -> bytes:
    genre = list(GENRE_IDS)[i % len(GENRE_IDS)]
    rng = np.random.default_rng(i)
    return _encoded(make_track(make_artist(genre, rng), seconds, rng), SYNTHESIS_RATE)


def _taken(source: Path, track_id: int, seconds: int) -> bytes:
    with FmaZip([str(source)]).opened() as read:
        try:
            clip = decode(read(track_id), min_seconds=29)
        except UnusableClipError:
            return b""
    return _encoded(clip.samples[: seconds * clip.sample_rate], clip.sample_rate)


def _encoded(samples: NDArray[np.float32], rate: int) -> bytes:
    """MP3; what is mono gets a second channel that lags by a millisecond."""
    if samples.ndim == 1:
        samples = np.stack([samples, np.roll(samples, rate // 1000)], axis=1)
    samples = soxr.resample(samples, rate, RATE)
    file = io.BytesIO()
    sf.write(file, samples, RATE, format="MP3", bitrate_mode="CONSTANT",
             compression_level=LEVEL)  # fmt: skip
    return file.getvalue()


def clip_of(track_id: int, pool: list[bytes]) -> bytes:
    """A clip with a title of its own at its end, so that no two files are alike."""
    return _music(track_id, pool) + _title(track_id)


def _music(track_id: int, pool: list[bytes]) -> bytes:
    if track_id not in BROKEN:
        return pool[track_id % len(pool)]
    noise = np.random.default_rng(track_id).normal(size=(int(BROKEN[track_id] * RATE), 2)) / 10
    return _encoded(noise.astype(np.float32), RATE) if len(noise) else b""


def _title(track_id: int) -> bytes:
    """An ID3v1 tag."""
    return (b"TAG" + f"track {track_id}".encode()).ljust(128, b"\0")


# Packing 8 GB would take as long as the rehearsal itself.
_packed = cache(bz2.compress)


def grow_archive(path: Path, tracks: pd.DataFrame, pool: list[bytes], listed: pd.DataFrame) -> None:
    """Add what an audio archive lacks of some tracks.

    Args:
        path: ``fma_small.zip``; it need not be there yet.
        tracks: that the archive should have.
        pool: from `clip_pool`.
        listed: all that it may ever have; their sums are the first member, FMA's ``checksums``.
    """
    with zipfile.ZipFile(path, "a", zipfile.ZIP_BZIP2) as archive:
        there = set(archive.namelist())
        if not there:
            names = [member_name("small", i).removeprefix("fma_small/") for i in listed.index]
            sums = [hashlib.sha1(clip_of(i, pool)).hexdigest() for i in listed.index]
            lines = [f"{value}  {name}\n" for value, name in zip(sums, names, strict=True)]
            archive.writestr("fma_small/checksums", "".join(lines))
        for track_id in tracks.index:
            name = member_name("small", track_id)
            if name not in there:
                packed = join(_packed(_music(track_id, pool)), bz2.compress(_title(track_id)))
                write_packed(archive, name, clip_of(track_id, pool), packed)
