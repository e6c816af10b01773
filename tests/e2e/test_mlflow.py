"""MLflow's pages on the store of a finished run, in a real browser."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import free_port


@pytest.fixture(scope="module")
def store(finished: Path) -> Iterator[str]:
    """Address of `mlflow ui`."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "ui", "--port", str(port), "--workers",
         "1", "--backend-store-uri", f"sqlite:///{finished / 'mlflow.db'}"],
        env=os.environ | {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # seven processes, of no use here
        },
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30)
                break
            time.sleep(0.2)
        else:
            pytest.fail("`mlflow ui` does not answer")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(60_000)
    return page


def runs(store: str) -> tuple[str, dict[str, str]]:
    """Number of the experiment, and of each run by its name."""
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("local").experiment_id
    found = client.search_runs([experiment])
    return experiment, {run.info.run_name: run.info.run_id for run in found}


def test_the_experiment_opens_on_its_runs(page: Page, store: str) -> None:
    experiment, _ = runs(store)
    page.goto(f"{store}#/experiments/{experiment}/runs")
    expect(page.get_by_text("workflow · ").first).to_be_visible(timeout=60_000)
    # The experiment's note links to a view that does not hide runs in their parents.
    view = page.get_by_role("link", name="All runs, best first").first.get_attribute("href")
    page.goto("about:blank")
    page.goto(f"{store}{view}")
    expect(page.get_by_text("crnn · artist · 1").first).to_be_visible(timeout=60_000)


def test_the_compare_page_shows_runs_and_metrics(page: Page, store: str) -> None:
    experiment, numbers = runs(store)
    names = ["svm_518 · artist · 1", "crnn · artist · 1", "fusion_518 · artist · 1"]
    chosen = json.dumps([numbers[name] for name in names])
    page.goto(f"{store}#/compare-runs?runs={chosen}&experiments={json.dumps([experiment])}")
    expect(page.get_by_text("Comparing 3 Runs")).to_be_visible(timeout=60_000)
    axis = page.locator(".parcoords .axis-title", has_text="validation/accuracy")
    expect(axis.first).to_be_attached(timeout=60_000)  # without anything being chosen
    for text in (*names, "test/accuracy", "test/f1/Rock"):
        expect(page.get_by_text(text, exact=True).first).to_be_attached(timeout=60_000)


def test_curves_and_the_confusion_figure_show(page: Page, store: str) -> None:
    experiment, numbers = runs(store)
    run = f"{store}#/experiments/{experiment}/runs/{numbers['crnn · artist · 1']}"
    page.goto(f"{run}/model-metrics")
    # Charts are drawn once they come into sight; those of single numbers, of the test, stand first.
    page.get_by_placeholder("Search metric charts").fill("train/loss")
    expect(page.locator(".js-plotly-plot .scatterlayer .trace").first).to_be_attached(
        timeout=60_000
    )
    page.goto(f"{run}/artifacts/confusion.png")
    figure = page.locator("img[src^='blob:'], img[src*='confusion.png']").first
    expect(figure).to_be_visible(timeout=60_000)
    assert figure.evaluate("image => image.naturalWidth") > 300
