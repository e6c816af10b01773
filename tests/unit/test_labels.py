"""Labels of songs from their paths."""

from pathlib import PurePath

import pytest

from songnet.data.labels import Layout
from songnet.errors import SongNetError, UnusableClipError


@pytest.mark.parametrize(
    ("pattern", "file", "labels"),
    [
        (None, "Rock/Ann/Song.mp3", {"genre": "Rock", "artist": "Ann", "title": "Song"}),
        (None, "Rock/Song.mp3", {"genre": "Rock", "title": "Song"}),
        (None, "Rock/Ann/Album/CD 1/Song", {"genre": "Rock", "artist": "Ann", "title": "Song"}),
        (None, "blues/blues.00000.wav", {"genre": "blues", "title": "blues.00000"}),
        (
            "{genre}/{artist}/{album}/{title}",
            "R&B/Ann/One (1)/Song.flac",
            {"genre": "R&B", "artist": "Ann", "album": "One (1)", "title": "Song"},
        ),
        (
            "{split}/{genre}/{artist} - {title}",
            "train/Rock/Ann - Song - Live.mp3",
            {"split": "train", "genre": "Rock", "artist": "Ann", "title": "Song - Live"},
        ),
        ("*/{artist}/{genre}/*", "x/Ann/Rock/1.mp3", {"artist": "Ann", "genre": "Rock"}),
        ("/{genre}/{title}.mp3", "Rock/a.b.mp3", {"genre": "Rock", "title": "a.b"}),
        ("{genre}.*/{title}", "Rock.old/Song", {"genre": "Rock", "title": "Song"}),
    ],
)
def test_layout_reads_labels(pattern: str | None, file: str, labels: dict[str, str]) -> None:
    found = Layout(pattern).labels(PurePath(file))
    assert found == {"title": PurePath(file).stem} | labels


@pytest.mark.parametrize(
    ("pattern", "file", "message"),
    [
        (None, "Song.mp3", "not in a genre folder"),
        ("{genre}/{artist}/{title}", "Rock/Song.mp3", "does not match the layout {genre}/{artist}"),
        ("{genre}/{title}", "Rock/Ann/Song.mp3", "does not match the layout {genre}/{title}"),
    ],
)
def test_layout_reports_paths_that_do_not_fit(pattern: str | None, file: str, message: str) -> None:
    with pytest.raises(UnusableClipError) as error:
        Layout(pattern).labels(PurePath(file))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{gerne}/{title}", "has the unknown field {gerne} (allowed: {genre}, {artist}, "),
        ("{artist}/{title}", "has no {genre}"),
        ("{genre}/{genre}/{title}", "has {genre} twice"),
        ("{genre}{title}", "has two fields with nothing between them"),
        ("{}/{genre}", "has the unknown field {}"),
    ],
)
def test_layout_refuses_patterns(pattern: str, message: str) -> None:
    with pytest.raises(SongNetError) as error:
        Layout(pattern)
    assert str(error.value).startswith(f"config key layout: {pattern!r} {message}")
