"""Control Firefox with WebDriver BiDi, since playwright needs to download its own Firefox."""

import base64
import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

# Audio plays without a click, and the microphone is a tone that needs no permission.
PREFERENCES = {
    "media.cubeb.force_mock_context": True,  # machines without a sound device
    "media.autoplay.default": 0,
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
}


class Firefox:
    """A page in Firefox."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count()
        self._send("session.new", capabilities={})
        self._page = self._send("browsingContext.create", type="tab")["context"]

    def goto(self, address: str) -> None:
        """Open an address and wait until it has loaded."""
        self._send("browsingContext.navigate", context=self._page, url=address, wait="complete")

    def evaluate(self, expression: str, by_user: bool = False) -> Any:
        """Evaluate an expression or promise as if after a user's click; return its JSON value."""
        wrapped = f"(async () => JSON.stringify((await ({expression})) ?? null))()"
        answer = self._send("script.evaluate", expression=wrapped, awaitPromise=True,
                            target={"context": self._page}, userActivation=by_user)  # fmt: skip
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"]["value"])

    def wait_for(self, expression: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        found = self.evaluate(
            f"""new Promise((resolve) => {{
                const end = Date.now() + {1000 * seconds};
                const look = () => ({expression}) ? resolve(true)
                    : Date.now() > end ? resolve(false) : setTimeout(look, 50);
                look();
            }})"""
        )
        assert found, f"not within {seconds} s: {expression}"

    def set_files(self, selector: str, *files: Path) -> None:
        """Choose files in a file input."""
        found = self._send("browsingContext.locateNodes", context=self._page,
                           locator={"type": "css", "value": selector})  # fmt: skip
        (node,) = found["nodes"]
        self._send("input.setFiles", context=self._page, element=node, files=[*map(str, files)])

    def screenshot(self, path: Path, width: int, height: int) -> None:
        """Save a screenshot."""
        self._send("browsingContext.setViewport", context=self._page,
                   viewport={"width": width, "height": height})  # fmt: skip
        found = self._send("browsingContext.captureScreenshot", context=self._page)
        path.write_bytes(base64.b64decode(found["data"]))

    def _send(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv(120))).get("id") != number:
            pass  # an event, not a response
        assert answer["type"] == "success", answer
        return answer["result"]


@contextmanager
def run_firefox(executable: str, profile: Path) -> Iterator[Firefox]:
    """Run Firefox with a new profile in a folder."""
    profile.mkdir()
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    address = profile / "WebDriverBiDiServer.json"  # printed when Firefox is ready
    with subprocess.Popen(
        [executable, "--headless", "--remote-debugging-port=0", "--profile", str(profile)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            while not (address.exists() and address.read_text()):
                assert process.poll() is None, "Firefox ended"
                time.sleep(0.1)
            port = json.loads(address.read_text())["ws_port"]
            with connect(f"ws://127.0.0.1:{port}/session", max_size=None) as socket:
                yield Firefox(socket)
        finally:
            process.terminate()
            process.wait(30)
