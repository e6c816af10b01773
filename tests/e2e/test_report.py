"""The report in a real browser, without a network."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect


@pytest.fixture(params=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, finished: Path) -> Iterator[Page]:
    """The report, opened from disk; it logs nothing and asks for nothing but itself."""
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


def heat_map(page: Page) -> list[list[float]]:
    shown: list[list[float]] = page.evaluate("document.getElementById('confusion').data[0].z")
    return shown


def test_the_figures_are_those_of_the_files(page: Page, finished: Path) -> None:
    results = pd.read_csv(finished / "results/local/report/results.csv")
    references = pd.read_csv(finished / "results/local/report/differences.csv")
    model = references.set_index("protocol")["reference"]["artist"].iloc[0]
    accuracy = results.set_index(["protocol", "model"])["accuracy"]
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text(f"right on {100 * accuracy['artist', model]:.1f} % of tracks")
    expect(page.locator("#table tbody tr")).to_have_count(8)
    column = page.locator("#table thead th").all_inner_texts().index("artist")
    row = page.locator("#table tr.chosen")
    expect(row.locator("td b").nth(column - 1)).to_have_text(
        f"{100 * accuracy['artist', model]:.1f}"
    )
    for name in ("accuracy", "confusion", "scores", "curves", "seconds", "runtime"):
        expect(page.locator(f"#{name} .main-svg").first).to_be_visible()
    expect(page.locator("#data")).to_contain_text("5 in quarantine")
    for name in ("analysis.html", "filters.html", "results.csv"):
        link = page.locator(f'a[href="{name}"]')
        expect(link).to_have_count(1)
        assert (finished / "results/local/report" / name).exists()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]


def test_model_protocol_and_order_are_chosen(page: Page, finished: Path) -> None:
    counts = pd.read_csv(finished / "results/local/report/confusions.csv")
    for model, protocol in [("knn", "random"), ("crnn", "official")]:
        page.select_option("#model", model)
        page.select_option("#protocol", protocol)
        own = counts.query("protocol == @protocol and model == @model and part == 'test'")
        matrix = own.pivot(index="genre", columns="predicted", values="verdicts")
        shares = 100 * matrix.div(matrix.sum(axis=1), axis=0)
        assert heat_map(page) == pytest.approx(shares.to_numpy())
        recall = pd.Series({genre: shares.loc[genre, genre] for genre in shares.index})
        hardest = recall.idxmin()
        said = f"{hardest} is the hardest genre" if recall.min() < 100 else "every track is found"
        expect(page.locator("#genre-text")).to_contain_text(said)
    page.select_option("#order", "recall")
    assert page.evaluate("document.getElementById('confusion').data[0].y")[0] == hardest
    first = page.locator("#scores-table tr").nth(1)
    expect(first).to_contain_text(str(hardest))
    expect(first).to_contain_text(f"{recall.min():.1f} %")
    box = page.locator("#confusion .nsewdrag").first
    box.scroll_into_view_if_needed()
    box.hover()
    expect(page.locator("#confusion .hovertext")).to_contain_text("tracks")


def test_other_controls(page: Page) -> None:
    page.select_option("#trained", "crnn")
    assert page.evaluate("document.getElementById('curves').data[0].x") == [1, 2, 3, 4]
    page.select_option("#heard-protocol", "random")
    expect(page.locator("#seconds .legendtext").first).to_be_visible()
    page.locator("#table button").first.click()
    names = page.locator("#table tbody th").all_inner_texts()
    assert names == sorted(names, key=str.lower)
    page.locator("#table button").first.click()
    assert page.locator("#table tbody th").all_inner_texts() == names[::-1]


def test_it_prints(browser: Browser, finished: Path) -> None:
    page = browser.new_page()
    page.goto((finished / "results/local/report/index.html").as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.locator(".controls").first).to_be_hidden()
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
