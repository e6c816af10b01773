"""The report in a real browser without a network."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

SIZES: dict[str, Any] = {
    "desktop": {"width": 1200, "height": 900},
    "phone": {"width": 390, "height": 844},
}
PAGES = ["index", "analysis", "filters"]
WIDTH = "document.documentElement.scrollWidth"


@pytest.fixture(params=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, finished: Path) -> Iterator[Page]:
    """Open the report from disk, and check that it logs nothing and requests no other file."""
    context = browser.new_context(viewport=SIZES[request.param], offline=True)
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


def test_report_figures_equal_result_files(page: Page, finished: Path) -> None:
    report = finished / "results/local/report"
    results = pd.read_csv(report / "results.csv").set_index(["protocol", "model"])
    best = results.loc["artist"]["validation_accuracy"].idxmax()
    accuracy = 100 * results.loc["artist", best]["accuracy"]
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text(f"{accuracy:.1f}\u00a0% accuracy")
    rows = page.locator("#results table").first.locator("tr")
    expect(rows).to_have_count(1 + 8)
    row = rows.filter(has_text="reference")
    expect(row.locator("td").first).to_have_text(re.compile(rf"^{accuracy:.1f}\s.*\[.*\]$"))
    for section, figures in (("results", 1), ("genres", 1), ("training", 1), ("excerpts", 1)):
        expect(page.locator(f"#{section} figure svg").locator("visible=true")).to_have_count(
            figures
        )
    expect(page.locator("#data")).to_contain_text("5 tracks")
    for name in ("analysis.html", "filters.html", "results.csv"):
        expect(page.locator(f'a[href="{name}"]')).to_have_count(1)
        assert (report / name).exists()
    assert (report / "index.html").stat().st_size < 1_000_000


def test_report_menus_choose_model_and_protocol(page: Page, finished: Path) -> None:
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
        expect(shown.locator("td").first).to_have_text(re.compile(f"^{hardest:.1f}"))
    page.select_option("select[name=network]", "C-RNN")
    expect(page.locator("#training .panel:not([hidden]) svg")).to_contain_text("C-RNN")


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    """An empty page on a phone with a touch screen."""
    context = browser.new_context(viewport=SIZES["phone"], has_touch=True)
    yield context.new_page()
    context.close()


def show(page: Page, finished: Path, name: str) -> None:
    """Open a page of the report and all that it folds away."""
    page.goto((finished / f"results/local/report/{name}.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


@pytest.mark.parametrize("name", PAGES)
def test_pages_have_landmarks_and_ordered_headings(phone: Page, finished: Path, name: str) -> None:
    show(phone, finished, name)
    for landmark in ("header", "main", "footer", "h1"):
        expect(phone.locator(f"body {landmark}")).to_have_count(1)
    levels = phone.eval_on_selector_all("h1, h2, h3", "all => all.map((one) => +one.tagName[1])")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    browser: Browser, finished: Path, name: str, scheme: Any, size: str
) -> None:
    page = browser.new_page(viewport=SIZES[size], color_scheme=scheme)
    show(page, finished, name)
    assert page.evaluate(WIDTH) <= SIZES[size]["width"]
    found = Axe().run(page).response["violations"]
    assert not found, json.dumps(found, indent=1)[:3000]
    page.close()


def test_results_scroll_in_their_box_beside_the_models(phone: Page, finished: Path) -> None:
    show(phone, finished, "index")
    box = phone.locator("#results .wide").first
    expect(box).to_have_attribute("tabindex", "0")
    model, last = box.locator("tbody th").first, box.locator("tbody td").last
    place, hidden = model.bounding_box(), last.bounding_box()
    assert place and hidden and hidden["x"] >= SIZES["phone"]["width"]
    box.evaluate("box => box.scrollTo({ left: 10_000, behavior: 'instant' })")
    shown = last.bounding_box()
    assert model.bounding_box() == place
    assert shown and shown["x"] + shown["width"] <= SIZES["phone"]["width"]
    assert phone.evaluate("scrollX") == 0


@pytest.mark.parametrize("name", PAGES)
def test_definitions_appear_by_keyboard_and_by_touch(
    phone: Page, finished: Path, name: str
) -> None:
    show(phone, finished, name)
    term = phone.locator("header a.term").last
    definition = phone.locator(term.get_attribute("href") or "").text_content()
    assert definition
    tip = phone.locator("#tip")
    expect(tip).to_be_hidden()
    phone.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); }")
    for _ in range(phone.locator("header :is(a, button)").count()):
        phone.keyboard.press("Tab")
        if term.evaluate("term => term === document.activeElement"):
            break
    expect(tip).to_have_text(definition)
    expect(tip).to_be_in_viewport(ratio=1)
    phone.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    phone.evaluate("document.activeElement.blur()")
    term.tap()
    expect(tip).to_have_text(definition)
    expect(tip).to_be_visible()
    phone.locator("h1").tap(position={"x": 5, "y": 5})
    expect(tip).to_be_hidden()


def test_report_prints_on_white_paper(browser: Browser, finished: Path) -> None:
    page = browser.new_page()
    page.goto((finished / "results/local/report/index.html").as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.locator(".controls").first).to_be_hidden()
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
