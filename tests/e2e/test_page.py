"""The page in a real browser."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from songnet.features.audio import decode
from songnet.features.spectrogram import describe
from songnet.models.causal_crnn import CausalCRNN
from songnet.realtime.classify import classify_file
from songnet.realtime.site import write_site
from songnet.realtime.stream import load_model
from tests.e2e.conftest import Server, Site
from tests.e2e.firefox import Firefox
from tests.e2e.test_engine import MEL, PLAIN, untrained
from tests.pretrained import saved, tagger
from tests.variants import ffmpeg, mp3, wav

GENRES = ["Electronic", "Folk", "Rock"]
SECONDS = "document.getElementById('player').currentTime"


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """Open the page; its scripts must not raise errors or fetch anything from other hosts."""
    # Playwright polls conditions with `eval`, which the page's content security policy forbids, and
    # does not see the requests of a service worker.
    context = browser.new_context(
        viewport={"width": 1100, "height": 1000}, bypass_csp=True, accept_downloads=True,
        service_workers="block",
    )  # fmt: skip
    page = context.new_page()
    problems: list[str] = []
    elsewhere: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((site.address, "blob:", "data:"))
            else elsewhere.append(request.url)
        ),
    )
    open_page(page, site)
    yield page
    context.close()
    assert not problems
    assert not elsewhere


def open_page(page: Page, site: Site) -> None:
    page.goto(site.address)
    wait_for(page, "idle")


def wait_for(page: Page, state: str) -> None:
    """Wait until the stage is in a state."""
    expect(page.locator("body")).to_have_attribute("data-state", state, timeout=60_000)


def example(page: Page) -> Locator:
    return page.locator(".examples button").first


def pause(page: Page) -> None:
    page.evaluate("document.getElementById('player').pause()")


def pixels(page: Page) -> Any:
    """Return colours along lines through the upper plot, and one colour of the lower plot."""
    return page.evaluate(
        """() => {
            const canvas = document.querySelector("#picture canvas");
            const paint = canvas.getContext("2d");
            const at = (y) => paint.getImageData(41, y, canvas.width - 54, 1).data;
            const along = (y) => [...at(Math.round(y * canvas.height))];
            return [[0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4].flatMap(along), along(0.9)];
        }"""
    )


def test_page_describes_network_and_examples(page: Page) -> None:
    about = page.locator("#about")
    expect(about).to_contain_text("causal C-RNN, trained on clips of the tests (artist split)")
    expect(about).to_contain_text("Accuracy 90.0 % on 30 test tracks")
    expect(about).to_contain_text("The music is synthetic.")
    expect(page.locator("footer")).to_contain_text("No music leaves this device")
    expect(example(page)).to_contain_text("A: b")
    expect(example(page)).to_contain_text("c")


def test_file_equals_songnet_classify(page: Page, clips: Path, trained: Path) -> None:
    file = sorted(clips.glob("Electronic*.mp3"))[1]
    page.set_input_files("#file", file)
    wait_for(page, "done")
    expect(page.locator("#title")).to_have_text(file.name)
    expect(page).to_have_title(f"{file.name} – SongNet")
    pause(page)
    page.evaluate(f"{SECONDS} = 29.9")
    run = subprocess.run(
        [sys.executable, "-m", "songnet.cli", "classify", str(file), "--json", "--model",
         str(trained), "--excerpt", "all"], capture_output=True, check=True,
    )  # fmt: skip
    expected = json.loads(run.stdout)["files"][0]
    expect(page.locator("#overall")).to_have_attribute("data-genre", expected["prediction"])
    rows = page.locator("#genres tbody tr")
    for i, probability in enumerate(expected["probabilities"].values()):
        shown = rows.nth(i).locator("td").nth(1).locator("span").inner_text()
        assert int(shown.split()[0]) == pytest.approx(100 * probability, abs=1)
    steps = int(page.get_attribute("#picture", "data-steps") or 0)
    assert steps == pytest.approx(expected["seconds"] / 0.3715, abs=1)
    result = page.locator("#result")
    expect(result).to_contain_text(f"0:30 of music: {expected['prediction']}")
    turns = page.locator("#turns").inner_text()
    if len(expected["timeline"]) > 1:
        assert [turn.split()[1] for turn in turns.split(" · ")] == [
            turn["genre"] for turn in expected["timeline"]
        ]


def test_example_plays_on_click(page: Page) -> None:
    empty, _ = pixels(page)
    example(page).click()
    wait_for(page, "done")
    page.wait_for_function(f"{SECONDS} > 0.5")
    expect(page.locator("#title")).to_have_text("A: b")
    expect(page.locator("#credit")).to_contain_text("Genre in the data set: Electronic · c")
    expect(example(page)).to_have_attribute("aria-current", "true")
    upper, lower = pixels(page)
    assert upper != empty
    assert len({tuple(lower[i : i + 4]) for i in range(0, len(lower), 4)}) > 20


def test_picture_seeks_by_click_and_keyboard(page: Page) -> None:
    example(page).click()
    wait_for(page, "done")
    pause(page)
    box = page.locator("#picture").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 40 + 0.5 * (box["width"] - 52), box["y"] + 60)
    assert page.evaluate(SECONDS) == pytest.approx(15, abs=0.5)
    page.locator("#picture").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(SECONDS) == pytest.approx(20, abs=0.5)
    expect(page.locator("#picture")).to_have_attribute("aria-valuetext", re.compile("0:(19|20) of"))
    page.keyboard.press("Home")
    assert page.evaluate(SECONDS) == 0
    page.keyboard.press(" ")
    page.wait_for_function(f"{SECONDS} > 0.2")


def test_now_and_overall_follow_playhead(page: Page, clips: Path) -> None:
    page.set_input_files("#file", sorted(clips.glob("Electronic*.mp3"))[1])
    wait_for(page, "done")
    pause(page)
    with page.expect_download() as download:
        page.click("#csv")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    for seconds in (29.0, 1.6, 12.0):
        page.evaluate(f"{SECONDS} = {seconds}")
        place = int(seconds / 0.3715)
        window = rows[max(0, place - 4) : place + 1]  # the slider's 2 s are five steps
        now = [np.mean([float(row[f"now {genre}"]) for row in window]) for genre in GENRES]
        overall = [float(rows[place][f"overall {genre}"]) for genre in GENRES]
        texts = [f"{100 * p:.0f}" for pair in zip(now, overall, strict=True) for p in pair]
        page.wait_for_timeout(200)
        cells = page.locator("#genres td span").all_inner_texts()
        for shown, text in zip(cells, texts, strict=True):
            assert int(shown.split()[0]) == pytest.approx(int(text), abs=1)


def test_now_before_analysis_says_not_analysed(page: Page, tmp_path: Path) -> None:
    noise = np.tile(np.random.default_rng(1).normal(0, 0.1, 48_000), 60 * 40)
    with sf.SoundFile(tmp_path / "long.wav", "w", 48_000, 1, subtype="PCM_16") as sound:
        for start in range(0, len(noise), 10**6):
            sound.write(noise[start : start + 10**6])
    page.set_input_files("#file", tmp_path / "long.wav")
    wait_for(page, "analysing")
    expect(page.locator("#progress")).to_contain_text(re.compile(r"Analysed: \d+:\d\d of 40:00"))
    page.evaluate(f"{SECONDS} = 39 * 60")
    expect(page.locator("#now")).to_have_text("not analysed yet")
    expect(page.locator("#summary")).to_be_hidden()
    page.evaluate(f"{SECONDS} = 0")
    expect(page.locator("#now")).to_have_attribute("data-genre", re.compile("."))


def test_piece_memory_is_bounded_for_ten_hours(page: Page) -> None:
    """For ten hours, the spectrogram is coarser but the picture is complete."""
    drawn = page.evaluate(
        """async () => {
            const { Piece } = await import("./piece.js");
            const { Picture } = await import("./picture.js");
            const model = { genres: ["a", "b"], bands: 64, framesPerStep: 16, stepSeconds: 0.3715 };
            const piece = new Piece({ title: "long" });
            piece.restart(model);
            const steps = Math.floor(36_000 / model.stepSeconds);
            for (let i = 0; i < steps; i += 100) {
                piece.add({
                    now: new Float32Array(200).fill(0.5), overall: new Float32Array(200).fill(0.5),
                    silent: new Uint8Array(100), levels: new Uint8ClampedArray(102_400).fill(200),
                    seconds: (i + 100) * model.stepSeconds,
                });
            }
            piece.state = "done";
            const canvas = document.createElement("canvas");
            const picture = new Picture(canvas);
            picture.resize(800, 300, 1);
            picture.show(piece, { a: "#ff0000", b: "#0000ff" });
            const at = (x, y) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data];
            return {
                columns: piece.columns.data.length / 64,
                upper: [60, 400, 780].map((x) => [at(x, 20), at(x, 180)]),
                lower: [60, 400, 780].map((x) => at(x, 230)),
            };
        }"""
    )
    assert drawn["columns"] <= 2**14
    assert drawn["upper"] == [[[0, 0, 255, 255], [255, 0, 0, 255]]] * 3
    assert drawn["lower"][0] == drawn["lower"][1] == drawn["lower"][2] != [240, 238, 234, 255]


def two_genres(clips: Path) -> bytes:
    """A WAV file in which two genres alternate every three seconds."""
    files = [sorted(clips.glob(f"{genre}*.mp3"))[0] for genre in ("Electronic", "Rock")]
    genres = [decode(io.BytesIO(file.read_bytes())) for file in files]
    rate = genres[0].sample_rate
    pieces = [genres[i % 2].samples[3 * i * rate : 3 * (i + 1) * rate] for i in range(8)]
    file = io.BytesIO()
    sf.write(file, np.concatenate(pieces), rate, format="WAV")
    return file.getvalue()


def test_smoothing_changes_probabilities_only(page: Page, clips: Path, tmp_path: Path) -> None:
    file = tmp_path / "turns.wav"
    file.write_bytes(two_genres(clips))
    page.set_input_files("#file", file)
    wait_for(page, "done")
    before = pixels(page)
    page.locator("#smoothing").fill("0")
    expect(page.locator("#smoothing-value")).to_have_text("0 s")
    after = pixels(page)
    assert before[0] != after[0] and before[1] == after[1]


def test_colour_scheme_keeps_picture(page: Page) -> None:
    example(page).click()
    wait_for(page, "done")
    margin = """() => {
        const canvas = document.querySelector("#picture canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, 40, canvas.height);
        return [...data].reduce((sum, value, i) => sum + (i % 4 < 3 ? value : 0), 0);
    }"""
    light, before = page.evaluate(margin), pixels(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"({margin})() !== {light}")
    assert page.evaluate(margin) > light  # labels have a lighter background, that of the page
    assert pixels(page)[1] == before[1]


def test_queue_classifies_files_and_reports_problems(
    page: Page, clips: Path, trained: Path, tmp_path: Path
) -> None:
    files = [sorted(clips.glob(f"{genre}*.mp3"))[2] for genre in GENRES]
    hostile, short = tmp_path / "<img src=x onerror=alert(1)>.mp3", tmp_path / "short.wav"
    hostile.write_bytes(os.urandom(20_000))
    sf.write(short, np.ones(2_000) / 2, 22_050)
    page.set_input_files("#file", [*files, hostile, short])
    lines = page.locator("#queue li")
    expect(lines).to_have_count(5)
    model = load_model(trained)
    for i, file in enumerate(files):
        expected = classify_file(model, str(file)).prediction
        assert expected is not None
        expect(lines.nth(i)).to_contain_text(file.name)
        expect(lines.nth(i)).to_contain_text(f"{expected.genre} ", timeout=60_000)
    expect(lines.nth(3)).to_contain_text("<img src=x onerror=alert(1)>.mp3")
    problems = ["This browser cannot decode the file.", "too short: a step takes 0.37 s."]
    for line, problem in zip([lines.nth(3), lines.nth(4)], problems, strict=True):
        expect(line).to_contain_text(problem, timeout=60_000)
    assert page.locator("img").count() == 0
    expect(page.locator("#next")).to_have_text(f"Next: {files[1].name}")
    page.click("#next")
    expect(page.locator("#title")).to_have_text(files[1].name)
    lines.nth(2).locator("button").click()
    expect(page.locator("#title")).to_have_text(files[2].name)
    expect(lines.nth(2).locator("button")).to_have_attribute("aria-current", "true")
    lines.nth(3).locator("button").click()
    expect(page.locator("#message")).to_contain_text("This browser cannot decode the file.")


@pytest.mark.parametrize("kind", ["webm", "aac", "rates"])
def test_browser_decodes_other_formats(
    page: Page, trained: Path, tmp_path: Path, kind: str
) -> None:
    content = {
        "webm": lambda: ffmpeg(wav(), ".webm", "-c:a", "libopus"),
        "aac": lambda: ffmpeg(wav(), ".aac", "-c:a", "aac"),
        "rates": lambda: mp3(seconds=3) + mp3(rate=48_000),
    }[kind]()
    file = tmp_path / f"music.{kind}"
    file.write_bytes(content)
    page.set_input_files("#file", file)
    wait_for(page, "done")
    expected = classify_file(load_model(trained), str(file)).prediction
    assert expected is not None
    expect(page.locator("#result")).to_contain_text(expected.genre)


def test_downloads_of_picture_and_timeline(page: Page) -> None:
    example(page).click()
    wait_for(page, "done")
    with page.expect_download() as download:
        page.click("#png")
    assert download.value.suggested_filename == "A_ b.png"
    content = download.value.path().read_bytes()
    assert content.startswith(b"\x89PNG") and int.from_bytes(content[16:20]) == 2000
    with page.expect_download() as download:
        page.click("#csv")
    assert download.value.suggested_filename == "A_ b.csv"
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert len(rows) == 80
    for row in rows:
        for kind in ("now", "overall"):
            values = [float(row[f"{kind} {genre}"]) for genre in GENRES]
            assert sum(values) == pytest.approx(1, abs=1e-4)


WATCHED = """
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (what) => (window.lastMedia = await open(what));
"""
CLOSED = "window.lastMedia.getTracks().every((track) => track.readyState === 'ended')"


def wait_for_steps(page: Page, count: int) -> None:
    page.wait_for_function(
        f"Number(document.getElementById('picture').dataset.steps) >= {count}", timeout=30_000
    )


def test_microphone_classifies_and_closes(page: Page, site: Site) -> None:
    page.add_init_script(WATCHED)
    open_page(page, site)
    page.click("#microphone")
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "true")
    wait_for(page, "listening")
    wait_for_steps(page, 20)
    expect(page.locator("#listening")).to_have_text("Listening")
    page.wait_for_function("document.getElementById('meter').value > 0.3")
    expect(page.locator("#overall")).to_have_attribute("data-genre", "Rock")
    page.click("#microphone")
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "false")
    wait_for(page, "done")
    expect(page.locator("#result")).to_contain_text("Rock")
    assert page.evaluate(CLOSED)


def test_microphone_reports_silence(page: Page, site: Site) -> None:
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => "
        "new AudioContext().createMediaStreamDestination().stream;"
    )
    open_page(page, site)
    page.click("#microphone")
    expect(page.locator("#listening")).to_have_text(
        "The microphone is silent. Is it muted?", timeout=15_000
    )
    expect(page.locator("#now")).to_have_text("no music: silence")


def test_microphone_reports_missing_samples(page: Page, site: Site) -> None:
    page.add_init_script(
        "AudioContext.prototype.createMediaStreamSource = () => ({ connect() {} });"
    )
    open_page(page, site)
    page.click("#microphone")
    expect(page.locator("#listening")).to_contain_text(
        "No data from the microphone.", timeout=15_000
    )


def test_microphone_unplugged_keeps_analysis(page: Page, site: Site) -> None:
    page.add_init_script(WATCHED)
    open_page(page, site)
    page.click("#microphone")
    wait_for_steps(page, 3)
    page.evaluate("window.lastMedia.getTracks()[0].dispatchEvent(new Event('ended'))")
    expect(page.locator("#message")).to_have_text(
        "The microphone was disconnected. The music so far is kept."
    )
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "false")
    wait_for(page, "done")


def test_microphone_closes_after_worklet_error(page: Page, site: Site) -> None:
    page.add_init_script(WATCHED)
    open_page(page, site)
    page.evaluate(
        "() => { window.kept = AudioWorklet.prototype.addModule;"
        "AudioWorklet.prototype.addModule = () => Promise.reject(new Error('gone')); }"
    )
    page.click("#microphone")
    expect(page.locator("#message")).to_have_text("The microphone cannot be used: gone")
    assert page.evaluate(CLOSED)
    page.evaluate("() => { AudioWorklet.prototype.addModule = window.kept; }")
    page.click("#microphone")
    wait_for_steps(page, 3)


def test_example_reports_failed_download(page: Page) -> None:
    page.route("**/examples/**", lambda route: route.fulfill(status=404))
    example(page).click()
    expect(page.locator("#message")).to_have_text(
        "A: b: the download failed. Is this device offline?"
    )


def test_file_without_audio_reports_problem(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "noise.mp3"
    bad.write_bytes(os.urandom(5_000))
    page.set_input_files("#file", bad)
    expect(page.locator("#message")).to_have_text("noise.mp3: This browser cannot decode the file.")
    example(page).click()
    wait_for(page, "done")
    expect(page.locator("#message")).to_be_empty()


def test_file_of_silence_has_no_genre(page: Page, tmp_path: Path) -> None:
    sf.write(tmp_path / "silent.wav", np.zeros(5 * 44_100), 44_100)
    page.set_input_files("#file", tmp_path / "silent.wav")
    wait_for(page, "done")
    expect(page.locator("#overall")).to_have_text("no music: silence")
    assert page.get_attribute("#overall", "data-genre") is None
    expect(page.locator("#genres tbody td").first).to_have_text("–")
    expect(page.locator("#result")).to_have_text("0:05 of music: no music: silence.")
    upper, _ = pixels(page)
    assert len({tuple(upper[i : i + 4]) for i in range(0, len(upper), 4)}) == 1


def test_network_menu_classifies_again(
    browser: Browser, site: Site, trained: Path, clips: Path, tmp_path: Path
) -> None:
    other = untrained(
        tmp_path / "other.safetensors", CausalCRNN, PLAIN, describe(MEL), title="other"
    )
    third = untrained(
        tmp_path / "third.safetensors", CausalCRNN, PLAIN, describe(MEL), title="third"
    )
    write_site([load_model(path) for path in (trained, other, third)], site.folder)
    *_, last = json.loads((site.folder / "site.json").read_text())["models"]
    (site.folder / last["file"]).write_text("damaged")
    page = browser.new_page(bypass_csp=True)
    page.goto(site.address)
    wait_for(page, "idle")
    file = sorted(clips.glob("Folk*.mp3"))[1]
    page.set_input_files("#file", file)
    wait_for(page, "done")
    expect(page.locator("#result")).to_contain_text("Folk")
    page.select_option("#network", index=1)
    expect(page.locator("#genres tbody tr")).to_have_count(8)
    wait_for(page, "done")
    expected = classify_file(load_model(other), str(file)).prediction
    assert expected is not None
    expect(page.locator("#result")).to_contain_text(expected.genre)
    expect(page.locator("#examples")).to_be_hidden()
    # A network that cannot be loaded leaves the one before in use.
    page.select_option("#network", index=2)
    expect(page.locator("#message")).to_have_text("This is not a network saved by SongNet.")
    wait_for(page, "done")
    assert page.locator("#network").evaluate("menu => menu.selectedIndex") == 1
    expect(page.locator("#network")).to_be_enabled()
    expect(page.locator("#about")).to_contain_text("other")
    expect(page.locator("#result")).to_contain_text(expected.genre)
    page.close()


def test_damaged_network_is_reported(browser: Browser, site: Site) -> None:
    for path in (site.folder / "networks").iterdir():
        path.write_text("damaged")
    page = browser.new_page(bypass_csp=True)
    page.goto(site.address)
    expect(page.locator("#message")).to_have_text("This is not a network saved by SongNet.")
    page.close()


def test_page_keeps_to_its_content_security_policy(browser: Browser, site: Site) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(site.address)
    wait_for(page, "idle")
    example(page).click()
    wait_for(page, "done")
    page.click("#png")
    page.click("#microphone")
    wait_for(page, "listening")
    page.close()
    assert not [text for text in said if "Content Security Policy" in text]
    policy = (site.folder / "index.html").read_text().partition("Security-Policy")[2].split('"')[2]
    policy = policy.replace("'wasm-unsafe-eval'", "")  # WebAssembly, but not `eval`
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy


def test_page_works_without_a_connection(browser: Browser, site: Site, clips: Path) -> None:
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(site.address)
    expect(page.locator("#offline")).to_contain_text("It also works offline", timeout=30_000)
    example(page).click()
    wait_for(page, "done")
    site.close()
    page.reload()
    wait_for(page, "idle")
    page.set_input_files("#file", sorted(clips.glob("Folk*.mp3"))[1])
    wait_for(page, "done")
    example(page).click()  # played once, and cached since
    wait_for(page, "done")
    expect(page.locator("#title")).to_have_text("A: b")
    context.close()


def test_service_worker_replaces_old_version(browser: Browser, site: Site, trained: Path) -> None:
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(site.address)
    expect(page.locator("#offline")).to_contain_text("It also works offline", timeout=30_000)
    style = site.folder / "style.css"
    worker = site.folder / "sw.js"
    style.write_text(style.read_text() + "h1 { letter-spacing: 7px; }")
    worker.write_text(re.sub("}[0-9a-f]{16}`", "}0123`", worker.read_text()))
    elsewhere = "songnet-http://127.0.0.1/elsewhere/-1"  # of another page on the same host
    page.evaluate(f"caches.open('{elsewhere}')")
    spacing = "getComputedStyle(document.querySelector('h1')).letterSpacing"
    for _ in range(10):
        page.reload()
        wait_for(page, "idle")
        # Chromium checks for a new service worker a second after a visit.
        page.wait_for_timeout(2_000)
        if page.evaluate(spacing) == "7px":
            break
    assert page.evaluate(spacing) == "7px"
    scope = page.evaluate("navigator.serviceWorker.ready.then(({ scope }) => scope)")
    assert sorted(page.evaluate("caches.keys()")) == sorted([elsewhere, f"songnet-{scope}-0123"])
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 360])
def test_accessibility_has_no_serious_violations(
    page: Page, clips: Path, scheme: Any, width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    found = Axe().run(page).response["violations"]
    page.set_input_files("#file", sorted(clips.glob("*.mp3"))[:3])
    wait_for(page, "done")
    expect(page.locator("#queue li").nth(2)).to_contain_text("%", timeout=60_000)
    found += Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert not serious, json.dumps(serious, indent=1)[:3000]


def test_page_has_landmarks_and_ordered_headings(page: Page) -> None:
    example(page).click()
    wait_for(page, "done")
    for landmark in ("header", "main", "footer", "h1"):
        expect(page.locator(f"body > {landmark}, body > header > {landmark}")).to_have_count(1)
    headings = page.get_by_role("heading").all()
    levels = [int(heading.evaluate("one => one.tagName[1]")) for heading in headings]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_an_empty_page_shows_no_empty_figures(page: Page) -> None:
    for place in (".predictions", "#genres", "#summary"):
        expect(page.locator(place)).to_be_hidden()
    example(page).click()
    wait_for(page, "done")
    for place in (".predictions", "#genres", "#summary"):
        expect(page.locator(place)).to_be_visible()


def test_definitions_appear_on_focus(page: Page) -> None:
    example(page).click()
    wait_for(page, "done")
    tip = page.locator("#tip")
    expect(tip).to_be_hidden()
    page.get_by_role("link", name="Overall").focus()
    expect(tip).to_have_text(page.locator("#term-overall").text_content() or "")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def test_keyboard_reaches_all_controls(page: Page) -> None:
    example(page).click()
    wait_for(page, "done")
    page.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); }")
    reached = []
    for _ in range(18):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.title"))
    wanted = ["file", "microphone", "A: b · c", "player", "picture", "smoothing", "csv", "png"]
    places = [reached.index(name) for name in wanted]
    assert places == sorted(places)


def test_forced_colours_keep_legend(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    colours = page.eval_on_selector_all(
        "#genres .mark", "marks => marks.map((mark) => getComputedStyle(mark).backgroundColor)"
    )
    assert len(set(colours)) == 3


def test_reduced_motion_moves_playhead_in_steps(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    example(page).click()
    wait_for(page, "done")
    places = page.evaluate(
        """async () => {
            const found = new Set();
            for (let i = 0; i < 60; i++) {
                found.add(document.querySelector(".playhead").style.transform);
                await new Promise(requestAnimationFrame);
            }
            return found.size;
        }"""
    )
    assert 1 < places < 10


def test_phone_layout_fits_width(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    example(page).click()
    wait_for(page, "done")
    pause(page)
    for place in ("now", "overall"):  # FMA's longest names
        text = "Instrumental or International?"
        page.evaluate(f"document.getElementById('{place}').textContent = '{text}'")
    page.evaluate(
        "document.querySelector('#genres th[scope=row]').lastChild.textContent = 'Experimental'"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    height = page.eval_on_selector("#genres th[scope=row]", "cell => cell.clientHeight")
    assert height < 45  # on one line


def test_firefox_classifies_file_and_microphone(firefox: Firefox, site: Site, clips: Path) -> None:
    firefox.goto(site.address)
    firefox.wait_for("document.body.dataset.state === 'idle'")
    firefox.set_files("#file", sorted(clips.glob("Folk*.mp3"))[1])
    firefox.wait_for("document.body.dataset.state === 'done'")
    assert "Folk" in firefox.evaluate("document.getElementById('result').textContent")
    firefox.wait_for(f"{SECONDS} > 0.5")
    firefox.evaluate("document.getElementById('microphone').click()", by_user=True)
    firefox.wait_for("document.body.dataset.state === 'listening'")
    firefox.wait_for("document.getElementById('picture').dataset.steps >= 8")
    assert firefox.evaluate("document.getElementById('listening').textContent") == "Listening"
    firefox.evaluate("document.getElementById('microphone').click()")
    firefox.wait_for("document.body.dataset.state === 'done'")


def test_served_page_runs_musicnn(
    firefox: Firefox, browser: Browser, clips: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Also under the content security policy of the server."""
    genres = ["Jazz", "Rock"]
    model = saved(tmp_path / "m.safetensors", tagger(), genres, title="musicnn")
    server = Server(model, tmp_path)
    request.addfinalizer(server.process.terminate)
    server.wait()
    file = sorted(clips.glob("Folk*.mp3"))[1]
    page = browser.new_page()
    page.goto(f"http://{server.host}/")
    wait_for(page, "idle")
    expect(page.locator("#about")).to_contain_text("Predictions need 1.2 s of look-ahead")
    page.set_input_files("#file", file)
    wait_for(page, "done")
    expected = classify_file(load_model(model), str(file), excerpt=None)
    assert expected.prediction is not None
    result = f"0:30 of music: {expected.prediction.genre}"
    expect(page.locator("#result")).to_contain_text(result)
    page.close()
    firefox.goto(f"http://{server.host}/")
    firefox.wait_for("document.body.dataset.state === 'idle'")
    firefox.set_files("#file", file)
    firefox.wait_for("document.body.dataset.state === 'done'")
    assert result in firefox.evaluate("document.getElementById('result').textContent")
