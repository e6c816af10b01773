"""MLflow's pages for the store of a finished run, in a real browser."""

import json
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.mlflow_server import MLflowServer


@pytest.fixture(scope="module")
def pages(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the experiment's pages."""
    server = MLflowServer(tmp_path_factory.mktemp("server"), finished / "mlflow.db")
    server.start()
    mlflow.set_tracking_uri(server.uri)
    yield f"{server.uri}/#/experiments/{mlflow.get_experiment_by_name('local').experiment_id}"
    server.stop()


@pytest.fixture(scope="module")
def run_ids(pages: str) -> dict[str, str]:
    """Return the id of each run by name."""
    runs = mlflow.search_runs(experiment_names=["local"], output_format="list")
    return {run.info.run_name: run.info.run_id for run in runs}


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    return page


def test_experiment_note_links_to_runs_by_protocol(page: Page, pages: str) -> None:
    page.goto(f"{pages}/runs")
    expect(page.get_by_text("workflow · ").first).to_be_visible()
    # The experiment's note links to views that show child runs directly.
    view = page.get_by_role("link", name="artist", exact=True).first.get_attribute("href")
    page.goto("about:blank")
    page.goto(f"{pages.partition('#')[0]}{view}")
    expect(page.get_by_text("crnn · artist · 1").first).to_be_visible()
    expect(page.get_by_text("crnn · random · 1")).to_have_count(0)
    expect(page.get_by_text("validation/accuracy").first).to_be_visible()


def test_compare_page_shows_runs_and_metrics(
    page: Page, pages: str, run_ids: dict[str, str]
) -> None:
    names = ["svm_518 · artist · 1", "crnn · artist · 1", "fusion_518 · artist · 1"]
    chosen = json.dumps([run_ids[name] for name in names])
    base, _, experiment = pages.rpartition("experiments/")
    page.goto(f"{base}compare-runs?runs={chosen}&experiments={json.dumps([experiment])}")
    expect(page.get_by_text("Comparing 3 Runs")).to_be_visible()
    axis = page.locator(".parcoords .axis-title", has_text="validation/accuracy")
    expect(axis.first).to_be_attached()  # without selecting anything
    for text in (*names, "test/accuracy", "test/f1/Rock"):
        expect(page.get_by_text(text, exact=True).first).to_be_attached()


def test_run_page_shows_curves_and_confusion_figure(
    page: Page, pages: str, run_ids: dict[str, str]
) -> None:
    run = f"{pages}/runs/{run_ids['crnn · artist · 1']}"
    page.goto(f"{run}/model-metrics")
    # Charts are drawn when they scroll into view; those of single values (test metrics) are first.
    page.get_by_placeholder("Search metric charts").fill("train/loss")
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_attached()
    page.goto(f"{run}/artifacts/confusion.png")
    figure = page.locator("img[src^='blob:'], img[src*='confusion.png']").first
    expect(figure).to_be_visible()
    assert figure.evaluate("image => image.naturalWidth") > 300
