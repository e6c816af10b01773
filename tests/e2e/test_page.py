"""The page in a real browser."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import uvicorn
from playwright.sync_api import Browser, Page, expect

from songnet.realtime.server import Limits, create_app
from songnet.realtime.stream import load_model
from tests.e2e.conftest import Server, free_port


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, freshly opened; its scripts meet no error and fetch nothing from elsewhere."""
    # Playwright waits for conditions by `eval`, which the page itself forbids.
    context = browser.new_context(viewport={"width": 1100, "height": 1000}, bypass_csp=True)
    page = context.new_page()
    problems: list[str] = []
    elsewhere: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((f"http://{server.host}/", "blob:", "data:"))
            else elsewhere.append(request.url)
        ),
    )
    open_page(page, server)
    yield page
    context.close()
    assert not problems
    assert not elsewhere


def open_page(page: Page, server: Server) -> None:
    page.goto(f"http://{server.host}/")
    expect(page.locator("#about")).to_contain_text("clips of the tests")


def points(page: Page) -> int:
    """Steps that the chart shows."""
    return int(page.evaluate("document.getElementById('chart').data[0].x.length"))


def wait_for_points(page: Page, count: int) -> None:
    page.wait_for_function(
        f"document.getElementById('chart').data[0].x.length >= {count}", timeout=30_000
    )


def pause(page: Page) -> int:
    """Stop the music; the number of steps once none comes any more."""
    page.evaluate("document.getElementById('player').pause()")
    known = -1
    while known != (known := points(page)):
        page.wait_for_timeout(700)
    return known


def test_it_says_what_it_is(page: Page) -> None:
    about = page.locator("#about")
    expect(about).to_contain_text("causal C-RNN, trained on clips of the tests (artist split)")
    expect(about).to_contain_text("Right on 90.0 % of 30 tracks")
    expect(about).to_contain_text("The music is synthetic.")
    expect(about).to_contain_text("Music goes to 127.0.0.1:")


def test_a_clip_is_classified_as_it_plays(page: Page, clips: Path, trained: Path) -> None:
    file = sorted(clips.glob("Electronic*.mp3"))[1]
    page.set_input_files("#file", file)
    wait_for_points(page, 3)
    few = points(page)
    assert few < 40  # the chart grows with the music, it is not there at once
    wait_for_points(page, few + 3)
    # Jump to the end: all is heard at once, and the prediction is the command's.
    page.evaluate("document.getElementById('player').currentTime = 29.5")
    page.wait_for_function("document.body.dataset.state === 'ended'", timeout=60_000)
    run = subprocess.run(
        [sys.executable, "-m", "songnet.cli", "classify", str(file), "--json", "--model",
         str(trained), "--excerpt", "all"], capture_output=True, check=True,
    )  # fmt: skip
    expected = json.loads(run.stdout)["files"][0]
    assert page.get_attribute("#overall", "data-genre") == expected["prediction"]
    rows = page.locator("#genres tbody tr")
    for i, probability in enumerate(expected["probabilities"].values()):
        shown = rows.nth(i).locator("td").nth(1).locator("span").inner_text()
        assert int(shown.split()[0]) == pytest.approx(100 * probability, abs=3)
    assert points(page) == pytest.approx(expected["seconds"] / 0.3715, abs=1)


def test_a_click_seeks(page: Page) -> None:
    page.select_option("#examples", index=1)
    wait_for_points(page, 2)
    box = page.locator("#spectrogram").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 20)
    assert page.evaluate("document.getElementById('player').currentTime") == pytest.approx(
        15, abs=2
    )
    wait_for_points(page, 38)


def test_now_follows_the_playhead_back(page: Page, clips: Path) -> None:
    page.set_input_files("#file", sorted(clips.glob("Electronic*.mp3"))[1])
    wait_for_points(page, 3)
    page.evaluate("document.getElementById('player').currentTime = 29.5")
    page.wait_for_function("document.body.dataset.state === 'ended'", timeout=60_000)
    page.evaluate("document.getElementById('player').pause()")
    told = "Array.from(document.querySelectorAll('#genres td:nth-child(2) span'), s => s.innerText)"
    shown = """i => document.getElementById('chart').data.map(trace =>
        `${(100 * trace.y.at(i)).toFixed(0)} %`)"""
    first = page.evaluate(shown, 3)  # 1.6 s are heard at 1 s, which are four steps of 0.37 s
    assert first != page.evaluate(shown, -1)
    page.evaluate("document.getElementById('player').currentTime = 1")
    page.wait_for_function(
        f"JSON.stringify({told}) === '{json.dumps(first, separators=(',', ':'))}'"
    )


def test_two_hours_are_drawn(page: Page) -> None:
    """The longest clip that is taken; a canvas of one column a frame would stay empty."""
    drawn = page.evaluate(
        """async () => {
            const { Chart } = await import("./chart.js");
            const about = await (await fetch("about")).json();
            const chart = new Chart(about, { onSeek() {} });
            chart.reset(about.max_seconds);
            const steps = Math.floor(about.max_seconds / about.step_seconds);
            const bytes = new Uint8Array(about.bands * about.frames_per_step).fill(255);
            const spectrogram = btoa(String.fromCharCode(...bytes));
            for (let i = 0; i < steps; i++) chart.addSpectrogram([{ spectrogram }]);
            const times = Array.from({ length: steps }, (_, i) => (i + 1) * about.step_seconds);
            chart.draw(times, times.map(() => about.genres.map(() => 1 / about.genres.length)));
            const { width } = chart.canvas;
            const alpha = (x) => chart.paint.getImageData(x, 9, 1, 1).data[3];
            const alphas = [0, width / 2, width - 2].map(alpha);
            return { seconds: about.max_seconds, alphas, x: Array.from(chart.chart.data[0].x) };
        }"""
    )
    assert drawn["seconds"] == 7200 and drawn["alphas"] == [255, 255, 255]
    assert 1000 < len(drawn["x"]) < 2100
    assert drawn["x"][-1] == pytest.approx(7200, abs=1)


def test_smoothing_changes_now(page: Page) -> None:
    page.select_option("#examples", index=1)
    wait_for_points(page, 6)
    pause(page)
    read = "document.getElementById('chart').data.map(trace => Array.from(trace.y))"
    before = page.evaluate(read)
    page.locator("#smoothing").fill("0")
    after = page.evaluate(read)
    assert before != after
    assert [y[0] for y in before] == [y[0] for y in after]


def test_dark_colours_keep_a_finished_chart(page: Page) -> None:
    page.select_option("#examples", index=1)
    wait_for_points(page, 6)
    before = pause(page)
    ink = "document.getElementById('chart').layout.font.color"
    light = page.evaluate(ink)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{ink} !== '{light}'")
    assert points(page) == before


def test_the_microphone_is_heard(page: Page) -> None:
    page.click("#microphone")
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "true")
    wait_for_points(page, 20)
    assert page.get_attribute("#overall", "data-genre") == "Rock"
    page.click("#microphone")
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "false")
    page.wait_for_function("document.body.dataset.state === 'ended'", timeout=30_000)


WATCHED = """
const Socket = window.WebSocket;
window.WebSocket = class extends Socket {
  constructor(...given) { super(...given); window.lastSocket = this; }
};
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (what) => (window.lastMedia = await open(what));
"""
CLOSED = "window.lastMedia.getTracks().every((track) => track.readyState === 'ended')"


def test_the_microphone_is_closed_when_the_connection_is_lost(page: Page, server: Server) -> None:
    page.add_init_script(WATCHED)
    open_page(page, server)
    page.click("#microphone")
    wait_for_points(page, 3)
    assert not page.evaluate(CLOSED)
    page.evaluate("window.lastSocket.close()")
    expect(page.locator("#message")).to_contain_text("The connection to SongNet is lost")
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "false")
    assert page.evaluate(CLOSED) and page.get_attribute("body", "data-state") == "ended"


def test_a_microphone_that_cannot_be_heard_is_closed(page: Page, server: Server) -> None:
    page.add_init_script(WATCHED)
    open_page(page, server)
    page.evaluate(
        "() => { window.kept = AudioWorklet.prototype.addModule;"
        "AudioWorklet.prototype.addModule = () => Promise.reject(new Error('gone')); }"
    )
    page.click("#microphone")
    expect(page.locator("#message")).to_have_text("The microphone cannot be used: gone")
    assert page.evaluate(CLOSED)
    page.evaluate("() => { AudioWorklet.prototype.addModule = window.kept; }")
    page.click("#microphone")
    wait_for_points(page, 3)


def test_an_example_can_be_chosen_again(page: Page, clips: Path) -> None:
    page.select_option("#examples", index=1)
    wait_for_points(page, 3)
    assert page.evaluate("document.getElementById('examples').selectedIndex") == 1
    page.set_input_files("#file", sorted(clips.glob("Folk*.mp3"))[3])
    page.wait_for_function("document.getElementById('examples').selectedIndex === 0")
    wait_for_points(page, 3)
    page.select_option("#examples", index=1)
    wait_for_points(page, 3)
    assert page.get_attribute("#overall", "data-genre") != "Folk"


def test_an_example_that_is_gone_is_said_so(page: Page) -> None:
    page.route("**/examples/*", lambda route: route.fulfill(status=404))
    page.select_option("#examples", index=1)
    expect(page.locator("#message")).to_have_text(
        "clip.mp3: SongNet does not give it; is it still running?"
    )


def test_the_slider_waits_for_the_first_step(page: Page, server: Server) -> None:
    page.add_init_script("HTMLMediaElement.prototype.play = () => Promise.reject(new Error())")
    open_page(page, server)
    page.select_option("#examples", index=1)
    expect(page.locator("#player")).to_be_visible()
    page.locator("#smoothing").fill("0")
    expect(page.locator("#smoothing-value")).to_have_text("0 s")
    assert points(page) == 0  # and the fixture knows of no error


def test_a_long_pause_ends_no_piece(page: Page, trained: Path) -> None:
    limits = Limits(idle_seconds=2)
    app = create_app(load_model(trained), trained.parent / "examples", limits)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    other = page.context.new_page()
    while not server.started:
        other.wait_for_timeout(50)
    other.goto(f"http://127.0.0.1:{port}/")
    other.select_option("#examples", index=1)
    wait_for_points(other, 3)
    before = pause(other)
    other.wait_for_timeout(5000)
    other.evaluate("document.getElementById('player').play()")
    wait_for_points(other, before + 5)
    expect(other.locator("#message")).to_be_empty()
    other.close()
    server.should_exit = True
    thread.join(30)


def test_page_keeps_to_its_content_security_policy(browser: Browser, server: Server) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    open_page(page, server)
    page.select_option("#examples", index=1)
    expect(page.locator("#overall")).to_have_attribute(
        "data-genre", re.compile("."), timeout=30_000
    )
    expect(page.locator("#chart .main-svg").first).to_be_visible()
    page.close()
    assert not [text for text in said if "Content Security Policy" in text]


def test_page_says_that_silence_is_no_music(page: Page, tmp_path: Path) -> None:
    sf.write(tmp_path / "silent.wav", np.zeros(5 * 44_100), 44_100)
    page.set_input_files("#file", tmp_path / "silent.wav")
    expect(page.locator("#overall")).to_have_text("no music: silence", timeout=30_000)
    assert page.get_attribute("#overall", "data-genre") is None
    expect(page.locator("#genres tbody td").first).to_have_text("–")
    shown = "document.getElementById('chart').data.flatMap((trace) => trace.y)"
    assert {*page.evaluate(shown)} == {None}


def test_two_tabs_do_not_mix(page: Page, server: Server, clips: Path) -> None:
    other = page.context.new_page()
    open_page(other, server)
    for tab, genre in ((page, "Folk"), (other, "Rock")):
        tab.set_input_files("#file", sorted(clips.glob(f"{genre}*.mp3"))[3])
    for tab in (page, other):
        tab.evaluate("document.getElementById('player').currentTime = 29.5")
    for tab, genre in ((page, "Folk"), (other, "Rock")):
        tab.bring_to_front()
        tab.wait_for_function("document.body.dataset.state === 'ended'", timeout=60_000)
        assert tab.get_attribute("#overall", "data-genre") == genre


def test_a_reload_in_mid_stream(page: Page, server: Server) -> None:
    for _ in range(3):
        page.select_option("#examples", index=1)
        wait_for_points(page, 3)
        page.reload()
        expect(page.locator("#about")).to_contain_text("clips of the tests")
    page.select_option("#examples", index=1)
    wait_for_points(page, 3)


def test_what_is_no_audio_is_said_so(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "noise.mp3"
    bad.write_bytes(os.urandom(5_000))
    page.set_input_files("#file", bad)
    expect(page.locator("#message")).to_have_text("noise.mp3: this browser finds no audio in it.")
    # A good one after it is heard.
    page.select_option("#examples", index=1)
    wait_for_points(page, 2)
    expect(page.locator("#message")).to_be_empty()


def test_the_keyboard_reaches_everything(page: Page) -> None:
    for name in ("file", "examples", "microphone", "smoothing"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == name


def test_nothing_sticks_out_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.select_option("#examples", index=1)
    wait_for_points(page, 3)
    pause(page)
    for place in ("now", "overall"):  # FMA's longest names
        text = "unsure: Instrumental or International?"
        page.evaluate(f"document.getElementById('{place}').textContent = '{text}'")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
