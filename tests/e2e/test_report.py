"""The report in a real browser without a network."""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect


@pytest.fixture(params=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, finished: Path) -> Iterator[Page]:
    """Open the report from disk, and check that it logs nothing and requests no other file."""
    sizes = {"desktop": (1200, 900), "phone": (390, 844)}
    width, height = sizes[request.param]
    context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
    page = context.new_page()
    problems: list[str] = []
    requests: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.on("request", lambda sent: requests.append(sent.url))
    address = (finished / "results/local/report/index.html").as_uri()
    page.goto(address)
    yield page
    context.close()
    assert not problems
    assert [url for url in requests if not url.startswith("data:")] == [address]


def test_figures_are_those_of_the_files(page: Page, finished: Path) -> None:
    report = finished / "results/local/report"
    results = pd.read_csv(report / "results.csv").set_index(["protocol", "model"])
    references = pd.read_csv(report / "differences.csv").set_index("protocol")["reference"]
    accuracy = 100 * results.loc["artist", references["artist"].iloc[0]]["accuracy"]
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text(f"{accuracy:.1f}\u00a0% accuracy")
    rows = page.locator("#results table").first.locator("tr")
    expect(rows).to_have_count(1 + 8)
    row = rows.filter(has_text="reference")
    expect(row.locator("td").nth(1)).to_have_text(re.compile(rf"^{accuracy:.1f}\s.*\[.*\]$"))
    for section, figures in (("results", 1), ("genres", 1), ("training", 1), ("excerpts", 1)):
        expect(page.locator(f"#{section} figure svg").locator("visible=true")).to_have_count(
            figures
        )
    expect(page.locator("#data")).to_contain_text("5 tracks")
    for name in ("analysis.html", "filters.html", "results.csv"):
        expect(page.locator(f'a[href="{name}"]')).to_have_count(1)
        assert (report / name).exists()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]
    assert (report / "index.html").stat().st_size < 1_000_000


def test_model_and_protocol_are_chosen(page: Page, finished: Path) -> None:
    counts = pd.read_csv(finished / "results/local/report/confusions.csv")
    titles = {"knn": "k nearest neighbours", "crnn": "C-RNN"}
    for model, protocol in [("knn", "random"), ("crnn", "official")]:
        page.select_option("select[name=model]", titles[model])
        page.select_option("select[name=protocol]", protocol)
        shown = page.locator("#genres .panel:not([hidden])")
        expect(shown).to_have_count(1)
        expect(shown.locator("svg")).to_contain_text(f"{titles[model]}, {protocol} split")
        own = counts.query("protocol == @protocol and model == @model and subset == 'test'")
        matrix = own.pivot(index="genre", columns="predicted", values="predictions")
        hardest = min(100 * matrix.loc[genre, genre] / matrix.loc[genre].sum() for genre in matrix)
        expect(shown.locator("td").nth(1)).to_have_text(re.compile(f"^{hardest:.1f}"))
    page.select_option("select[name=network]", "C-RNN")
    expect(page.locator("#training .panel:not([hidden]) svg")).to_contain_text("C-RNN")


def test_it_prints(browser: Browser, finished: Path) -> None:
    page = browser.new_page()
    page.goto((finished / "results/local/report/index.html").as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.locator(".controls").first).to_be_hidden()
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
