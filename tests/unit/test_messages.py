"""Messages, pages and documents use the field's words, and errors have one form."""

import re
from pathlib import Path

import pytest

from tests.configured import ROOT
from tests.messages import Message, messages

# Words that SongNet avoids, and their replacements.
RULED_OUT = {
    r"verdicts?": "prediction",
    r"hears?|heard": "process; listen to, of people",
    r"listens to|listened to": "classify, process",
    r"divisions?": "split",
    r"delivered": "precomputed",
    r"sound (zip|npz|clips?|tracks?|archives?)|is sound|was sound|unsound": "valid, usable",
    r"taste": "sample",
    r"anew": "again",
    r"lest": "so that … not",
    r"(?<!there )(is|are|was|were) no(?! longer)|that (is|are) none|none that": "is not a …",
    r"stands?(?!-in| for| out)": "is, appears",
    r"right on \d": "accuracy",
    r"less (the|those|that of)": "minus, the difference between",
    r"below a running peak": "running-peak normalisation",
    r"shall": "must, should",
    r"whoever|everybody|nobody": "name who",
    r"poster's, our reading|our reading": "poster C-RNN (reimplemented)",
    r"how soon": "by excerpt length",
    r"seconds heard|heard seconds": "excerpt length",
}
PATTERN = re.compile(rf"\b(?:{'|'.join(RULED_OUT)})\b", re.IGNORECASE)
FOLDERS = (".", "config", "studies", "benchmarks", "tests/faults")
PROSE = [page for folder in FOLDERS for page in (ROOT / folder).glob("*.md")]
PROSE += [*(ROOT / "docs").rglob("*.md"), *(ROOT / "workflow/report").glob("*.rst")]
PAGES = [
    *(ROOT / "src/songnet").rglob("*.html"),
    *(ROOT / "src/songnet").rglob("templates/*.md"),
    *(ROOT / "src/songnet/realtime/web").rglob("*.js"),
]
MESSAGES = messages()
ERRORS = [message for message in MESSAGES if message.kind == "error"]


def ruled_out(text: str) -> list[str]:
    """Find words that SongNet does not use."""
    return [found[0] for found in PATTERN.finditer(text)]


def test_ruled_out_finds_words_and_not_their_parts() -> None:
    assert ruled_out("The verdict is heard anew.") == ["verdict", "heard", "anew"]
    assert ruled_out("song.mp3: not a sound zip archive") == ["sound zip"]
    assert ruled_out("Sound files, nearest pairs, latest run, nothing stands for it") == []


def test_messages_finds_errors_help_and_logged_lines() -> None:
    assert len(ERRORS) > 150 and {message.kind for message in MESSAGES} == {"error", "help", "log"}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.where)
def test_messages_avoid_ruled_out_words(message: Message) -> None:
    assert ruled_out(message.text) == []


@pytest.mark.parametrize("message", ERRORS, ids=lambda message: message.where)
def test_errors_are_one_short_line(message: Message) -> None:
    assert "\n" not in message.text and not message.text.endswith(".")
    assert len(message.text) <= 200


@pytest.mark.parametrize("path", PROSE + PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_and_pages_avoid_ruled_out_words(path: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(), flags=re.DOTALL)
    assert ruled_out(text) == []


SOURCES = [
    file
    for folder in ("src", "workflow", "config", "profiles", "studies", "benchmarks", "tests")
    for suffix in ("py", "smk", "yaml", "js")
    for file in (ROOT / folder).rglob(f"*.{suffix}")
    if file != Path(__file__)
]


def test_comments_and_names_avoid_ruled_out_words() -> None:
    pattern = re.compile(r"\b(verdicts?|hears?|heard|anew|lest|taste)\b", re.IGNORECASE)
    found = {str(file.relative_to(ROOT)): pattern.findall(file.read_text()) for file in SOURCES}
    assert {file: words for file, words in found.items() if words} == {}
