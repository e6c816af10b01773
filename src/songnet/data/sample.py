"""Fetch a few clips of each genre from remote archives by range requests, in minutes."""

import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import requests
from remotezip import RangeNotSupported, RemoteZip, RemoteZipError
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema
from tqdm import tqdm
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from songnet.data.fma_zip import member_name
from songnet.data.selection import wanted_tracks
from songnet.data.tracks import read_tracks
from songnet.errors import SongNetError
from songnet.io import replacing

# features.csv is larger than the clips; the workflow computes the features from them instead.
METADATA = ["fma_metadata/tracks.csv", "fma_metadata/genres.csv"]
ATTEMPTS = 8  # per request, until a response begins
BODIES = 3  # attempts per response, until it is complete
TIMEOUT = (20, 60)  # seconds to connect, and to receive data
T = TypeVar("T")
BROKEN = (RemoteZipError, HTTPError, requests.RequestException, zipfile.BadZipFile, OSError)


def fetch_sample(
    urls: list[str],
    subset: str,
    genres: list[str] | None,
    tracks_per_genre: int,
    metadata: str | Path,
    clips: str | Path,
    pause: float = 1.0,
) -> None:
    """Write two small archives in FMA's layout with part of the remote archives.

    Fetched clips are kept in ``<clips>.parts`` until all are complete, and the next call resumes
    there.

    Args:
        urls: base URLs, tried in turn.
        subset: FMA subset.
        genres: top genres, or None for all of the subset.
        tracks_per_genre: number of clips of each genre.
        metadata: output archive with tracks.csv and genres.csv.
        clips: output archive, ``fma_<subset>.zip``.
        pause: seconds before another attempt; doubled after each.

    Raises:
        SongNetError: no URL provided the archives.
    """
    problems = []
    for base in urls:
        base = base.rstrip("/")
        try:
            _fetch_metadata(f"{base}/fma_metadata.zip", metadata, pause)
            tracks = wanted_tracks(read_tracks(str(metadata)), subset, genres, tracks_per_genre)
            names = [member_name(subset, track_id) for track_id in tracks.index]
            _fetch_clips(f"{base}/fma_{subset}.zip", names, Path(clips), pause)
            return
        except _FetchError as error:
            problems.append(str(error))
    raise SongNetError("; ".join(problems))


class _FetchError(Exception):
    """A URL does not provide an archive."""


def _fetch_metadata(url: str, path: str | Path, pause: float) -> None:
    with _remote(url, pause) as remote:
        contents = {name: _member(remote, url, name, pause) for name in METADATA}
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)


def _fetch_clips(url: str, names: list[str], path: Path, pause: float) -> None:
    folder = path.with_name(f"{path.name}.parts")
    with _remote(url, pause) as remote:
        members = set(remote.namelist())
        names = [name for name in names if name in members]
        if not names:
            raise _FetchError(f"{url}: contains none of the selected clips")
        for name in tqdm(names, desc="clips", unit="clip", disable=None):
            part = folder / Path(name).name
            if not part.exists():
                with replacing(part) as temporary:
                    temporary.write_bytes(_member(remote, url, name, pause))
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in names:
            archive.write(folder / Path(name).name, name)
    for part in folder.iterdir():
        part.unlink()
    folder.rmdir()


@contextmanager
def _remote(url: str, pause: float) -> Iterator[RemoteZip]:
    """Open a remote archive by fetching its central directory."""
    transient = [408, 429, 500, 502, 503, 504]
    retry = Retry(ATTEMPTS - 1, backoff_factor=pause, status_forcelist=transient)
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        try:
            remote = _whole(lambda: RemoteZip(url, session=session, timeout=TIMEOUT), url, pause)
        except RangeNotSupported:
            raise _FetchError(
                f"{url}: the server does not support range requests; leave tracks_per_genre out"
            ) from None
        with remote:
            yield remote


def _member(remote: RemoteZip, url: str, name: str, pause: float) -> bytes:
    """Fetch one member and verify its CRC-32."""
    try:
        return _whole(lambda: bytes(remote.read(name)), f"{url}: {name}", pause)
    except KeyError:
        raise _FetchError(f"{url}: has no {name}") from None


def _whole(fetch: Callable[[], T], what: str, pause: float) -> T:
    """Repeat a fetch whose response is damaged; urllib3 has already retried missing responses."""
    for attempt in range(BODIES):
        try:
            return fetch()
        except RangeNotSupported:
            raise
        except BROKEN as error:
            # remotezip wraps the errors of requests.
            answered = not isinstance(error.__context__, requests.RequestException)
            if attempt == BODIES - 1 or not answered:
                raise _FetchError(f"{what}: {_reason(error)}") from None
            time.sleep(pause * 2**attempt)
    raise AssertionError


def _reason(error: BaseException) -> str:
    if isinstance(error.__context__, InvalidSchema):
        return "single clips can only be fetched over http or https; leave tracks_per_genre out"
    text = " ".join(str(error).split())
    for status in (400, 401, 403, 404, 410):
        if f"{status} Client Error" in text:
            return f"the server answers {status}"
    return text[:200] or type(error).__name__
