"""Performance of the page in Chromium: CPU time, latency, frame rate and memory.

    python -m studies.browser results/local/best.safetensors song.mp3

The song is repeated to get longer files. Prints JSON. Shares are CPU time of Chromium's renderer
divided by the duration of the music, which is robust against other work on the machine.
"""

import argparse
import io
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import psutil
import soundfile as sf
from playwright.sync_api import CDPSession, Page, sync_playwright

from songnet.features.audio import decode
from songnet.realtime.site import write_site
from songnet.realtime.stream import load_model

RATE = 44_100
REPEATS = 5
# Classify a minute of music in chunks of 10 ms, on the page's main thread.
CLASSIFY = """async () => {
    const { Model, Stream } = await import(new URL("engine/stream.js", document.baseURI));
    const { decode } = await import(new URL("audio/decode.js", document.baseURI));
    const { models } = await (await fetch("site.json")).json();
    const model = new Model(await (await fetch(models[0].file)).arrayBuffer());
    const stream = new Stream(model, 44100);
    for await (const { samples } of decode(await (await fetch("minute.wav")).blob())) {
        for (let at = 0; at < samples.length; at += 441) {
            stream.push(samples.subarray(at, at + 441));
        }
    }
    stream.finish();
}"""
# Time from the message that completes a step to the next animation frame, at real-time speed.
LATENCY = """async () => {
    const worker = new Worker(new URL("worker.js", document.baseURI), { type: "module" });
    const { models } = await (await fetch("site.json")).json();
    const ready = new Promise((resolve) => (worker.onmessage = resolve));
    worker.postMessage({ kind: "load", address: new URL(models[0].file, document.baseURI).href });
    await ready;
    const { port1, port2 } = new MessageChannel();
    worker.postMessage({ kind: "begin", id: 1, rate: 44100, port: port2 }, [port2]);
    const found = [];
    const sent = [];
    worker.onmessage = ({ data }) => {
        if (data.kind !== "steps") return;
        const start = sent[Math.round((data.seconds * 44100) / 2048) - 1];
        requestAnimationFrame(() => found.push(performance.now() - start));
    };
    for (let i = 0; i < 400; i++) {
        const noise = Float32Array.from({ length: 2048 }, () => Math.random() - 0.5);
        sent.push(performance.now());
        port1.postMessage(noise);
        await new Promise((resolve) => setTimeout(resolve, 2048 / 44.1));
    }
    return found;
}"""
# Send minutes of noise as a microphone would, as fast as possible; the page keeps the steps.
LISTEN = """async (minutes) => {
    if (!window.piece) {
        const { Analysis } = await import(new URL("analysis.js", document.baseURI));
        const { Piece } = await import(new URL("piece.js", document.baseURI));
        const { models } = await (await fetch("site.json")).json();
        const analysis = new Analysis({ changed() {}, level() {}, failed: console.error });
        await analysis.load(models[0].file);
        const { port1, port2 } = new MessageChannel();
        const piece = new Piece({ title: "", live: true });
        Object.assign(window, { piece, port: port1, sent: 0 });
        analysis.listen(window.piece, { rate: 44100, port: port2 });
    }
    for (const end = window.sent + minutes * 60; window.sent < end; window.sent += 2048 / 44100) {
        const noise = Float32Array.from({ length: 2048 }, () => Math.random() - 0.5);
        window.port.postMessage(noise, [noise.buffer]);
        while (window.sent > window.piece.analysed + 5) await new Promise((r) => setTimeout(r, 5));
    }
}"""
FRAMES = """async () => {
    const player = document.getElementById("player");
    const frames = [];
    let last = performance.now(), over = false;
    const count = (now) => {
        frames.push(now - last);
        last = now;
        if (!over) requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
    for (let i = 0; i < 60; i++) {
        player.currentTime = ((i * 0.377) % 1) * player.duration;
        await new Promise((resolve) => setTimeout(resolve, 150));
    }
    over = true;
    return frames.slice(2);
}"""


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder and yield its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def renderer(cdp: CDPSession) -> psutil.Process:
    """Return the renderer process of the page."""
    found = cdp.send("SystemInfo.getProcessInfo")["processInfo"]
    busiest = max(
        (one for one in found if one["type"] == "renderer"), key=lambda one: one["cpuTime"]
    )
    return psutil.Process(busiest["id"])


def processor_seconds(process: psutil.Process) -> float:
    """Return the CPU time of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def shares(page: Page, process: psutil.Process) -> dict[str, list[float]]:
    """Measure CPU time per duration, alternating between full and quarter CPU speed."""
    found: dict[str, list[float]] = {"1": [], "4": []}
    session = page.context.new_cdp_session(page)
    for _ in range(REPEATS):
        for slower, values in found.items():
            session.send("Emulation.setCPUThrottlingRate", {"rate": int(slower)})
            before = processor_seconds(process)
            page.evaluate(CLASSIFY)
            values.append((processor_seconds(process) - before) / 60)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    return found


def analyse(page: Page, process: psutil.Process, file: Path) -> dict[str, float]:
    """Measure CPU time and memory while a file is decoded, classified and played."""
    seconds = sf.info(file).duration
    before, start, memory = processor_seconds(process), time.perf_counter(), []
    page.set_input_files("#file", file)
    while page.get_attribute("body", "data-state") != "done":
        page.wait_for_timeout(1000)
        memory.append(process.memory_info().rss / 2**20)
    return {
        "share": (processor_seconds(process) - before) / seconds,
        "wall": time.perf_counter() - start,
        "MB after a tenth": memory[len(memory) // 10],
        "MB at most": max(memory),
    }


def listen(page: Page, process: psutil.Process) -> list[int]:
    """Measure the page's memory in MB every six minutes of one hour of microphone input."""
    memory = []
    for _ in range(10):
        page.evaluate(LISTEN, 6)
        page.request_gc()
        memory.append(process.memory_info().rss // 2**20)
    return memory


def repeated(song: Path, seconds: int, path: Path) -> Path:
    """Write the song repeated to a given length."""
    codec = ["-b:a", "128k"] if path.suffix == ".mp3" else ["-c:a", "pcm_f32le", "-ac", "1"]
    command = ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", str(song), "-t"]
    subprocess.run([*command, str(seconds), "-ar", str(RATE), *codec, str(path)], check=True)
    return path


def main() -> None:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("song", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = Path(folder, "site")
        write_site([load_model(options.model)], site)
        clip = decode(io.BytesIO(options.song.read_bytes()))
        minute = np.resize(clip.samples, 60 * clip.sample_rate)
        sf.write(Path(folder, "one.wav"), minute, clip.sample_rate)
        repeated(Path(folder, "one.wav"), 60, site / "minute.wav")
        ten = repeated(Path(folder, "one.wav"), 600, Path(folder, "ten.mp3"))
        hour = repeated(Path(folder, "one.wav"), 3600, Path(folder, "hour.mp3"))
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        page = browser.new_page(viewport={"width": 1100, "height": 1000})
        with served(site) as address:
            page.goto(address)
            page.wait_for_selector("body[data-state=idle]")
            page.evaluate(CLASSIFY)
            process = renderer(browser.new_browser_cdp_session())
            found["shares"] = shares(page, process)
            latency = page.evaluate(LATENCY)
            found["latency ms, 50 and 95 %"] = np.percentile(latency, [50, 95]).round(1).tolist()
            found["ten minutes"] = analyse(page, process, ten)
            frames = page.evaluate(FRAMES)
            found["frames"] = {"all": len(frames), "over 34 ms": sum(f > 34 for f in frames)}
            found["an hour"] = analyse(page, process, hour)
            page.reload()
            page.wait_for_selector("body[data-state=idle]")
            found["microphone, MB"] = listen(page, process)
        browser.close()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
