"""Terms are marked where they occur, and defined once."""

from pathlib import Path

import pytest

from songnet.report.glossary import TERMS, Glossary
from songnet.report.pages import write_page


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("95\u00a0% CI 43.8 to 77.1 · artist split", ["CI", "artist split"]),
        ("artist %", ["artist"]),
        ("artist leak", ["artist leak"]),
        ("macro F1 % (artist)", ["macro F1"]),
        ("official % (validation)", ["official", "validation"]),
        ("top-2 recall", ["top-2 recall"]),
        ("expected calibration error", ["calibration error"]),
        ("poster's C-RNN", ["poster"]),
        ("largest deviation of a genre's share", ["deviation"]),
        ("artists", []),
        ("<b>", []),
    ],
)
def test_mark_links_terms(text: str, marked: list[str]) -> None:
    glossary = Glossary(html=True)
    links = glossary.mark(text).split("</a>")[:-1]
    assert [link.rpartition(">")[2] for link in links] == marked
    assert len(glossary.used) == len(marked)
    assert "<b>" not in glossary.mark(text)


def test_markdown_stays_plain_and_remembers_terms() -> None:
    glossary = Glossary(html=False)
    assert glossary.mark("<artist> leak, artist leak") == "<artist> leak, artist leak"
    assert [term.name for term in glossary.used] == ["artist leak"]


def test_terms_have_addresses_of_their_own() -> None:
    assert len({term.address for term in TERMS}) == len(TERMS)


def test_links_lead_to_definitions_on_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write_page(
        "filters.html", page, dataset={"title": "x", "note": ""}, subset="test", clips=3,
        network={"title": "m", "protocol": "artist"}, excerpt_seconds="3", has_audio=False,
        colours={}, layers={1: []},
    )  # fmt: skip
    text = page.read_text()
    address = next(term.address for term in TERMS if term.name == "artist split")
    assert f'href="#{address}" aria-describedby="{address}"' in text
    assert text.count(f'id="{address}"') == 1
