"""FMA-small's list of tracks, and archives of its size and layout built from a few clips."""

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

# Lengths of FMA-small's broken clips, seconds; three of them contain nothing but a tag.
BROKEN = {98565: 1.6, 98567: 0.5, 98569: 1.5, 99134: 0.0, 108925: 0.0, 133297: 0.0}
TRACKS_PER_GENRE = {"training": 800, "validation": 100, "test": 100}
WITHOUT_ARTIST = 79
LARGEST_ID = 155_066
RATE = 44_100
LEVEL = (320 - 256) / (320 - 32)  # libsndfile's value for 256 kbit/s, FMA-small's mean bit rate


def small_tracks(folder: str | Path | None = None) -> pd.DataFrame:
    """Return FMA-small's 8,000 tracks.

    Args:
        folder: folder with FMA's ``fma_metadata.zip``. If it also contains the list
            ``fma_small_official_split.csv`` (track_id, split, genre_top), the tracks are those of
            the list, with the archive's artists where known. None generates a list with the same
            numbers.

    Returns:
        Columns genre, official_split and artist_id; sorted index track_id.
    """
    rng = np.random.default_rng(0)
    if folder is None:
        others = np.setdiff1d(np.arange(2, LARGEST_ID + 1), list(BROKEN))
        number = len(GENRE_IDS) * sum(TRACKS_PER_GENRE.values())
        # The broken clips come first, so that they are in the training subset, as in FMA.
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
    # The list omits the clips without audio; restore a thousand tracks per genre.
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
    """Generate artists within each subset: half have one track, a few hundreds, some two genres."""
    artists = pd.Series(np.nan, index=tracks.index)
    first = 1_000_000  # larger than FMA's ids
    for _, subset in tracks.groupby("official_split"):
        for _, group in subset.groupby("genre"):
            sizes = np.minimum(rng.zipf(2.1, len(group)), 200)
            artists[group.index] = first + np.repeat(np.arange(len(group)), sizes)[: len(group)]
            first += len(group)
        mixed = rng.choice(subset.index, len(subset) // 10, replace=False)
        artists[mixed] = artists[rng.permutation(mixed)].to_numpy()
    return artists


def in_rounds(tracks: pd.DataFrame) -> pd.DataFrame:
    """Reorder randomly so that the first 8 k tracks contain k tracks of each genre."""
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
    """Create MP3 clips at 44.1 kHz, stereo, 256 kbit/s.

    Args:
        number: largest number of clips.
        source: audio archive whose first clips are re-encoded; None synthesises clips.
        workers: number of processes.
        seconds: length of each clip; 30 in FMA.
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
    """Encode as MP3; mono gets a second channel delayed by a millisecond."""
    if samples.ndim == 1:
        samples = np.stack([samples, np.roll(samples, rate // 1000)], axis=1)
    samples = soxr.resample(samples, rate, RATE)
    file = io.BytesIO()
    sf.write(file, samples, RATE, format="MP3", bitrate_mode="CONSTANT",
             compression_level=LEVEL)  # fmt: skip
    return file.getvalue()


def clip_of(track_id: int, pool: list[bytes]) -> bytes:
    """Return a clip with a unique ID3v1 tag, so that no two files are identical."""
    return _music(track_id, pool) + _title(track_id)


def _music(track_id: int, pool: list[bytes]) -> bytes:
    if track_id not in BROKEN:
        return pool[track_id % len(pool)]
    noise = np.random.default_rng(track_id).normal(size=(int(BROKEN[track_id] * RATE), 2)) / 10
    return _encoded(noise.astype(np.float32), RATE) if len(noise) else b""


def _title(track_id: int) -> bytes:
    """Return an ID3v1 tag."""
    return (b"TAG" + f"track {track_id}".encode()).ljust(128, b"\0")


# Cached, since compressing 8 GB would take as long as the rehearsal itself.
_packed = cache(bz2.compress)


def grow_archive(path: Path, tracks: pd.DataFrame, pool: list[bytes], listed: pd.DataFrame) -> None:
    """Add missing tracks to an audio archive.

    Args:
        path: path of ``fma_small.zip``, which need not exist yet.
        tracks: tracks that the archive should contain.
        pool: from `clip_pool`.
        listed: all tracks that may be added later; the first member ``checksums`` lists them.
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
