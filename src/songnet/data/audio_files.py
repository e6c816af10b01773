"""Files that may hold music, below folders, one at a time: memory does not grow with their number.

Bytes decide what is audio, never a name. Names only tell what people keep beside their music.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from songnet.errors import SongNetError

# Covers, playlists, texts, tables, archives, programs: opened by no decoder.
BESIDE_MUSIC = frozenset(
    [
        ".bmp", ".gif", ".heic", ".ico", ".jpeg", ".jpg", ".png", ".psd", ".svg", ".tif", ".tiff",
        ".webp",
        ".asx", ".cue", ".m3u", ".m3u8", ".pls", ".wpl", ".xspf",
        ".csv", ".doc", ".docx", ".htm", ".html", ".ini", ".json", ".jsonl", ".log", ".lrc", ".lst",
        ".md", ".nfo", ".npy", ".npz", ".parquet", ".pdf", ".rtf", ".tsv", ".txt", ".url", ".xls",
        ".xlsx", ".xml", ".yaml", ".yml",
        ".7z", ".accurip", ".bat", ".db", ".exe", ".gz", ".md5", ".par2", ".py", ".rar", ".sfv",
        ".sh", ".sha1", ".sha256", ".tar", ".torrent", ".xz", ".zip",
    ]
)  # fmt: skip
LISTS = (".lst", ".m3u", ".m3u8", ".txt")
PLAYLISTS = (".m3u", ".m3u8")


def audio_files(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Find files that may hold music.

    Args:
        paths: folders, files, and lists of both (LISTS), a path a line, relative to the working
            directory or to the list; ``~`` is the home directory.

    Yields:
        Each file once, in the order of the paths and below each sorted by name. Folders are
        walked as deep as they go, symbolic links followed where what they point at is not
        below the paths itself, hidden names skipped. A file that is named in ``paths`` or in
        a list comes whatever its name is.

    Raises:
        SongNetError: a path does not exist, or a folder may not be read.
    """
    yield from _walk(paths, may_be_audio)


def all_files(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Find files as `audio_files`, with those that people keep beside their music."""
    yield from _walk(paths, lambda path: True)


def may_be_audio(path: Path) -> bool:
    """Whether the name of a file leaves open that it holds music."""
    return path.suffix.lower() not in BESIDE_MUSIC


def read_list(path: Path) -> Iterator[Path]:
    """Read the paths of a list, one a line; in playlists ``#`` begins a comment.

    Raises:
        SongNetError: the list cannot be read, or a line names nothing that exists.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise SongNetError(f"{path}: {error.strerror}") from None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or (path.suffix.lower() in PLAYLISTS and line.startswith("#")):
            continue
        found = Path(line.strip()).expanduser()
        if not os.path.lexists(found):
            found = path.parent / found
        if not os.path.lexists(found):
            raise SongNetError(f"{path}: line {number}: {line.strip()}: no such file or folder")
        yield found


def _walk(paths: Iterable[str | Path], is_wanted: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield the wanted files below folders, and files that are named themselves."""
    named = list(_named(paths))
    walk = _Walk([path for path in named if path.is_dir()])
    for path in named:
        if path.is_dir():
            yield from filter(is_wanted, walk.below(path))
        elif walk.is_new_file(path) and not (walk.was_in(path.parent) and is_wanted(path)):
            yield path


def _named(paths: Iterable[str | Path]) -> Iterator[Path]:
    for path in (Path(path).expanduser() for path in paths):
        if not os.path.lexists(path):
            raise SongNetError(f"{path}: no such file or folder")
        if path.suffix.lower() in LISTS and path.is_file():
            yield from read_list(path)
        else:
            yield path


Key = tuple[int, int]  # device and number of a file or folder


class _Walk:
    """Walks folders and remembers what must not come twice: folders, and files named or linked.

    Args:
        roots: folders that are walked.
    """

    def __init__(self, roots: list[Path]) -> None:
        self._roots = [os.path.realpath(root) for root in roots]
        self._folders: set[Key] = set()
        self._files: set[Key] = set()

    def is_new_file(self, path: str | Path) -> bool:
        """Whether a file that is named or linked comes for the first time."""
        return _is_new(path, self._files)

    def was_in(self, folder: Path) -> bool:
        """Whether the files of a folder have come."""
        return _key(folder) in self._folders

    def below(self, folder: str | Path) -> Iterator[Path]:
        """Yield the files below a folder."""
        waiting = [self._entries(folder)]
        while waiting:
            entry = next(waiting[-1], None)
            if entry is None:
                waiting.pop()
            elif entry.is_symlink() and self._is_reached(entry.path):
                continue
            elif entry.is_dir():
                waiting.append(self._entries(entry.path))
            elif entry.is_file():
                # Without links and named files none comes twice, and none needs to be looked at.
                is_plain = not (self._files or entry.is_symlink())
                if is_plain or self.is_new_file(entry.path):
                    yield Path(entry.path)
            elif entry.is_symlink():  # to nothing: whoever opens it says so
                yield Path(entry.path)

    def _entries(self, folder: str | Path) -> Iterator[os.DirEntry[str]]:
        if not _is_new(folder, self._folders):
            return iter(())
        try:
            with os.scandir(folder) as entries:
                found = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            raise SongNetError(f"{folder}: {error.strerror}") from None
        return iter(sorted(found, key=lambda entry: entry.name))

    def _is_reached(self, link: str) -> bool:
        """Whether the walk comes to the target of a link without it."""
        target = os.path.realpath(link)
        for root in self._roots:
            inside = target.removeprefix(root.rstrip(os.sep))
            if inside != target and (not inside or inside[0] == os.sep):
                return f"{os.sep}." not in inside
        return self.was_in(Path(target).parent)


def _key(path: str | Path) -> Key | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_new(path: str | Path, seen: set[Key]) -> bool:
    """Whether a file or folder is not among those seen, to which it is added."""
    key = _key(path)
    is_new = key not in seen
    if key is not None:  # a link to nothing is always new
        seen.add(key)
    return is_new
