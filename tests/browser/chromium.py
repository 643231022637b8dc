"""A real browser without a window, driven over its DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

START_TIMEOUT_S = 30.0
WAIT_S = 10.0
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
# Everything by which a browser asks its maker for news by itself would be counted as a request of the page.
_FLAGS = (
    "--headless=new", "--no-sandbox", "--remote-debugging-port=0", "--no-first-run", "--disable-gpu",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--no-default-browser-check", "--hide-scrollbars", "--force-device-scale-factor=1",
)  # fmt: skip


class BrowserError(Exception):
    """The browser is not there, or a page did not do what was waited for."""


class Chromium:
    """A browser process; `page` opens pages that know nothing of each other."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="orchestrator-browser-"))
        self._ending = ExitStack()
        self._socket: ClientConnection
        self._sent = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        path = next((found for name in _NAMES if (found := shutil.which(name))), None)
        if path is None:
            raise BrowserError("no Chromium is on PATH; deploy/demo/setup/browser.sh installs one")
        argv = [path, *_FLAGS, f"--user-data-dir={self._folder}", "about:blank"]
        environment = {**os.environ, "HOME": str(self._folder), "TZ": "UTC", "LANGUAGE": "en"}
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
            stack.callback(process.wait, timeout=START_TIMEOUT_S)
            stack.callback(process.terminate)
            port, path = self._read_port()
            self._socket = stack.enter_context(connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None))
            self._ending = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def page(self, *, width: int = 1000, height: int = 800, dark: bool = False) -> Page:
        """A page with a storage of its own."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, width=width, height=height, dark=dark)

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Do one thing; events that come meanwhile are kept. Raises `BrowserError`."""
        self._sent += 1
        message: dict[str, Any] = {"id": self._sent, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == self._sent:
                break
            self.events.append(answer)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        found: dict[str, Any] = answer["result"]
        return found

    def _read_port(self) -> tuple[str, str]:
        note = self._folder / "DevToolsActivePort"
        ends_at = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < ends_at:
            lines = note.read_text(encoding="ascii").splitlines() if note.exists() else []
            if len(lines) == 2:
                return lines[0], lines[1]
            time.sleep(0.05)
        raise BrowserError(f"the browser does not answer after {START_TIMEOUT_S:g} s")


class Page:
    """One tab."""

    def __init__(self, browser: Chromium, session: str, *, width: int, height: int, dark: bool) -> None:
        self._browser = browser
        self._session = session
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setLocaleOverride", locale="en-GB")
        scheme = "dark" if dark else "light"
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Do one thing with this page."""
        return self._browser.call(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Go there and wait until everything is loaded."""
        self.call("Page.navigate", url=url)
        self.await_true(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    def reload(self) -> None:
        """Load the page once more."""
        self.evaluate("window.before = true")
        self.call("Page.reload")
        self.await_true("!window.before && document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, promises awaited. Raises `BrowserError`."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def await_true(self, expression: str, seconds: float = WAIT_S) -> None:
        """Wait until it is so. Raises `BrowserError`."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            try:
                if self.evaluate(f"!!({expression})"):
                    return
            except BrowserError:
                continue  # the page is on its way to another one
            time.sleep(0.02)
        raise BrowserError(f"not so after {seconds:g} s: {expression}")

    def click(self, element: str) -> None:
        """Click as a mouse does, on the middle of the element that an expression finds."""
        self.evaluate(f"({element}).scrollIntoView({{block: 'nearest'}})")
        box = self.evaluate(f"(({element}).getBoundingClientRect()).toJSON()")
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key as a keyboard does."""
        common: Mapping[str, object] = {
            "key": key,
            "code": {" ": "Space"}.get(key, key),
            "windowsVirtualKeyCode": _KEYS[key],
            "modifiers": 8 if shift else 0,
        }
        text = {"Enter": "\r", " ": " "}.get(key)
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def go_offline(self, offline: bool = True) -> None:
        """Take the network away, or give it back."""
        self.call(
            "Network.emulateNetworkConditions", offline=offline, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )

    def requests(self) -> list[str]:
        """Addresses that the page has asked so far; what stands in an address itself is not asked."""
        self.evaluate("0")
        found = [event["params"]["request"]["url"] for event in self._events("Network.requestWillBeSent")]
        return [url for url in found if not url.startswith("data:")]

    def complaints(self) -> list[str]:
        """What the page or the browser has complained of: errors of scripts, refusals of the policy."""
        self.evaluate("0")
        logged = [event["params"]["entry"]["text"] for event in self._events("Log.entryAdded")]
        thrown = [str(event["params"]["exceptionDetails"]) for event in self._events("Runtime.exceptionThrown")]
        return logged + thrown

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _events(self, method: str) -> list[dict[str, Any]]:
        ours = [event for event in self._browser.events if event.get("sessionId") == self._session]
        return [event for event in ours if event["method"] == method]
