"""Find files that may hold music, one at a time, so that memory does not grow with their number.

Whether a file is audio is decided from its content, never from its name. Names only exclude the
files that people keep next to their music.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from songnet.errors import SongNetError

# Covers, playlists, texts, tables, archives and programs are never decoded.
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
        paths: folders, files, and lists of both (see LISTS). A list has one path per line, relative
            to the working directory or to the list; ``~`` is the home directory.

    Yields:
        Each file once, in the order of ``paths`` and sorted by name within each. Folders are
        walked recursively; hidden names are skipped, and symbolic links are followed unless their
        target is below ``paths`` anyway. Files named in ``paths`` or in a list are always
        included.

    Raises:
        SongNetError: a path does not exist, or a folder cannot be read.
    """
    yield from _walk(paths, may_be_audio)


def all_files(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Find files as `audio_files` does, including covers, playlists and other companions."""
    yield from _walk(paths, lambda path: True)


def may_be_audio(path: Path) -> bool:
    """Return whether a file may hold music, judging by its name."""
    return path.suffix.lower() not in BESIDE_MUSIC


def read_list(path: Path) -> Iterator[Path]:
    """Read a list with one path per line; in playlists ``#`` starts a comment.

    Raises:
        SongNetError: the list cannot be read, or a path in it does not exist.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise SongNetError(f"{path}: {error.strerror}") from None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or (path.suffix.lower() in PLAYLISTS and line.startswith("#")):
            continue
        listed = Path(line.strip()).expanduser()
        if not os.path.lexists(listed):
            listed = path.parent / listed
        if not os.path.lexists(listed):
            raise SongNetError(f"{path}: line {number}: {line.strip()}: no such file or folder")
        yield listed


def _walk(paths: Iterable[str | Path], is_included: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield the included files below folders, and all files that are named directly."""
    roots = list(named(paths))
    walk = _Walk([path for path in roots if path.is_dir()])
    for path in roots:
        if path.is_dir():
            yield from filter(is_included, walk.below(path))
        elif walk.is_new_file(path) and not (walk.was_in(path.parent) and is_included(path)):
            yield path


def named(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Yield files and folders, with the contents of lists in their place.

    Raises:
        SongNetError: a path does not exist.
    """
    for path in (Path(path).expanduser() for path in paths):
        if not os.path.lexists(path):
            raise SongNetError(f"{path}: no such file or folder")
        if path.suffix.lower() in LISTS and path.is_file():
            yield from read_list(path)
        else:
            yield path


Key = tuple[int, int]  # device and inode number of a file or folder


class _Walk:
    """Walks folders, visiting each folder and each named or linked file only once.

    Args:
        roots: folders to walk.
    """

    def __init__(self, roots: list[Path]) -> None:
        self._roots = [os.path.realpath(root) for root in roots]
        self._folders: set[Key] = set()
        self._files: set[Key] = set()

    def is_new_file(self, path: str | Path) -> bool:
        """Return whether a named or linked file is visited for the first time."""
        return _is_new(path, self._files)

    def _is_left(self, entry: os.DirEntry[str]) -> bool:
        """Return whether a regular file was not visited as a link or a named file."""
        return not self._files or _key(entry.path) not in self._files

    def was_in(self, folder: Path) -> bool:
        """Return whether a folder has been visited."""
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
                # Hard links are files of their own, so only links and named files are noted.
                if self.is_new_file(entry.path) if entry.is_symlink() else self._is_left(entry):
                    yield Path(entry.path)
            elif entry.is_symlink():  # broken; opening it reports the error
                yield Path(entry.path)

    def _entries(self, folder: str | Path) -> Iterator[os.DirEntry[str]]:
        if not _is_new(folder, self._folders):
            return iter(())
        try:
            with os.scandir(folder) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            raise SongNetError(f"{folder}: {error.strerror}") from None
        return iter(sorted(visible, key=lambda entry: entry.name))

    def _is_reached(self, link: str) -> bool:
        """Return whether the walk reaches the target of a link without following it."""
        target = os.path.realpath(link)
        for root in self._roots:
            inside = target.removeprefix(root.rstrip(os.sep))
            if inside != target and (not inside or inside[0] == os.sep):
                return f"{os.sep}." not in inside
        return self.was_in(Path(target).parent)


def _key(path: str | Path) -> Key | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_new(path: str | Path, seen: set[Key]) -> bool:
    """Return whether a file or folder is seen for the first time, and remember it."""
    key = _key(path)
    is_new = key not in seen
    if key is not None:  # broken links are always new
        seen.add(key)
    return is_new
