"""Chromium without a window, told what to do over a pipe: opens a page, presses keys, reads what is there, takes pictures.

Speaks the Chrome DevTools Protocol (JSON messages that end in a zero octet, on descriptors 3 and 4 of the browser), so that no
driver has to be installed. Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

TIMEOUT = 60.0
"""Seconds that the browser gets for anything."""
KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "End": 35, "Home": 36, "ArrowUp": 38, "ArrowDown": 40, "PageDown": 34}


class Page:
    """One page of one browser; what goes wrong in its script, and what it asks the network for, is in `errors` and `requests`."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._rest, self._count, self._session = write, read, b"", 0, ""
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._events: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Send a command and return its result."""
        self._count += 1
        command = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        data = json.dumps(command).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data) :]
        while (answer := self._next()).get("id") != self._count:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        until = monotonic() + TIMEOUT
        while b"\0" not in self._rest:
            assert select.select([self._read], [], [], max(0, until - monotonic()))[0], "Chromium does not answer"
            data = os.read(self._read, 1 << 20)
            assert data, "Chromium has ended"
            self._rest += data
        first, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        method, said = message.get("method", ""), message.get("params", {})
        self._events.append(method)
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(said["exceptionDetails"]))
        elif method == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.errors.append(said["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        return message

    def open(self, path: Path) -> None:
        """Open a file, and return when it is loaded, its script has run and it was drawn."""
        self._events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        while "Page.loadEventFired" not in self._events:
            self._next()
        self.drawn()

    def drawn(self) -> None:
        """Return when what was changed is drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, script: str) -> Any:
        """Return the value of an expression, or of what it promises."""
        done = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def text(self, selector: str) -> str:
        """Return the text of the first element that a selector finds."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key and let it go."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 if shift else 0}
        if key == "Enter":
            about["text"] = "\r"
        self.ask("Input.dispatchKeyEvent", type="keyDown", **about)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)
        self.drawn()

    def type(self, text: str) -> None:
        """Type text where the focus is."""
        self.ask("Input.insertText", text=text)
        self.drawn()

    def click(self, selector: str) -> None:
        """Click in the middle of an element, which is scrolled to."""
        script = "(found => { found.scrollIntoView({block: 'center'}); const box = found.getBoundingClientRect();"
        script += " return [box.x + box.width / 2, box.y + box.height / 2] })"
        x, y = self.run(f"{script}(document.querySelector({json.dumps(selector)}))")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.drawn()

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Make the page as large as a screen, and light or dark."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.drawn()

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Write what is seen, or all of the page, as PNG."""
        data = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """Start Chromium, and end it with all its processes; without it, CI fails and others skip."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("chromium is not installed")
    options = [
        "--headless=new",
        "--remote-debugging-pipe",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
    ]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync", f"--user-data-dir={folder}"]
    theirs_in, write = os.pipe()
    read, theirs_out = os.pipe()
    # Above 4, so that none is overwritten before it is copied.
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10) for descriptor in (theirs_in, theirs_out)]
    null = os.open(os.devnull, os.O_RDWR)
    copies = [(os.POSIX_SPAWN_DUP2, one, other) for one, other in ((null, 0), (null, 1), (null, 2), (high[0], 3), (high[1], 4))]
    child = os.posix_spawn(program, [program, *options], os.environ, file_actions=copies, setpgroup=0)
    for descriptor in (theirs_in, theirs_out, null, *high):
        os.close(descriptor)
    try:
        yield Page(write, read)
    finally:
        os.close(write)
        os.close(read)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
