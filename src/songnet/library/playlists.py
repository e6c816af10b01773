"""Write one playlist per genre of a library."""

import os
import re
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from songnet.errors import SongNetError
from songnet.io import replacing
from songnet.library.columns import genres_of
from songnet.library.table_files import read_columns, read_rows

NEEDED = ["path", "model", "size", "mtime", "duration", "artist", "title", "genre", "unsure",
          "probability"]  # fmt: skip


def write_playlists(table: Path, folder: Path, min_confidence: float) -> dict[str, int]:
    """Write ``<genre>.m3u8`` for each genre of a table, with paths relative to the folder.

    Args:
        table: table of the library.
        folder: output folder.
        min_confidence: minimum probability of a prediction; unsure predictions are always left out.

    Returns:
        Number of songs in each playlist, by path.

    Raises:
        SongNetError: the table cannot be read, or the folder cannot be written.
    """
    counts: dict[str, int] = {}
    try:
        with ExitStack() as files:
            playlists: dict[str, IO[str]] = {}

            def playlist(genre: str) -> IO[str]:
                name = file_name(genre)  # several genres may have the same
                if name not in playlists:
                    temporary = files.enter_context(replacing(folder / f"{name}.m3u8"))
                    playlists[name] = files.enter_context(
                        temporary.open("w", encoding="utf-8", errors="surrogateescape")
                    )
                    playlists[name].write("#EXTM3U\n")
                return playlists[name]

            for genre in genres_of(read_columns(table)):
                if (folder / f"{file_name(genre)}.m3u8").exists():
                    playlist(genre)  # rewritten even if it becomes empty
            for row in read_rows(table, NEEDED):
                genre = row["genre"]
                if genre is None or row["unsure"] or row["probability"] < min_confidence:
                    continue
                entry = _entry(row["path"], folder)
                if entry is not None:
                    playlist(genre).write(f"{_title(row)}\n{entry}\n")
                    counts[file_name(genre)] = counts.get(file_name(genre), 0) + 1
    except OSError as error:
        raise SongNetError(f"{error.filename or folder}: {error.strerror}") from None
    return {str(folder / f"{name}.m3u8"): count for name, count in sorted(counts.items())}


def file_name(genre: str) -> str:
    """Return the name of a genre in a form that is valid on every file system."""
    return re.sub(r'\s*[/\\:*?"<>|\x00-\x1f]\s*', " - ", genre).strip(" .-") or "_"


def _entry(path: str, folder: Path) -> str | None:
    """Return a path relative to the playlist; None if it does not fit on one line."""
    entry = os.path.relpath(path, os.path.realpath(folder))
    if "\n" in entry or "\r" in entry:
        return None
    return f"./{entry}" if entry.startswith("#") else entry


def _title(row: dict[str, object]) -> str:
    names = [str(row[name]) for name in ("artist", "title") if row.get(name)]
    title = " - ".join(names) or Path(str(row["path"])).stem
    return f"#EXTINF:{round(float(str(row['duration'] or -1)))},{' '.join(title.split())}"
