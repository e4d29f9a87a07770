"""A real browser for tests: Debian's Chromium without a window, spoken to over a pipe (Chrome DevTools Protocol)."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from typing import Any

PROGRAM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",  # the tests run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_SECONDS = 120
"""For one answer; the machine is shared."""


@dataclass
class Browser:
    """One page of a browser."""

    reading: int
    writing: int
    session: str = ""
    requests: list[str] = field(default_factory=list)
    """Every address that was asked for, the page's own too."""
    complaints: list[str] = field(default_factory=list)
    """What the console said."""
    loaded: int = 0
    _number: int = 0
    _rest: bytes = b""

    def call(self, method: str, **words: Any) -> dict[str, Any]:
        """Call a method and return its result; events that come before it are noted."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": words}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select([self.reading], [], [], _SECONDS)[0], "Chromium does not answer"
            got = os.read(self.reading, 1 << 20)
            assert got, "Chromium has ended"
            self._rest += got
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        words = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(words["request"]["url"])
        elif message.get("method") == "Log.entryAdded":
            self.complaints.append(words["entry"]["text"])
        elif message.get("method") == "Page.loadEventFired":
            self.loaded += 1
        return message

    def open(self, url: str, width: int, *, dark: bool = False) -> None:
        """Show a page in a window of this width, and wait until it is there."""
        phone = width < 500
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=800, deviceScaleFactor=2 if phone else 1, mobile=phone,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        before = self.loaded
        self.call("Page.navigate", url=url)
        while self.loaded == before:
            self._next()

    def value(self, expression: str) -> Any:
        """Return what an expression of JavaScript is on the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)[
            "result"
        ].get("value")

    def picture(self, path: Path, most: float = 1e6) -> None:
        """Write the page as a PNG: all of it, or this much of its height in a pixel for each of the page's."""
        size = self.value("[document.documentElement.scrollWidth, document.body.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": min(size[1], most), "scale": 1}
        if most < size[1]:
            clip["scale"] = 1 / self.value("devicePixelRatio")
        shot = self.call(
            "Page.captureScreenshot", captureBeyondViewport=True, format="png", clip=clip
        )
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Yield a browser with a new profile; it has ended when the block is left."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()

    def place_pipes() -> None:
        # The protocol wants exactly the descriptors 3 and 4.
        for number, wanted in ((to_read, 3), (from_write, 4)):
            os.dup2(number, 100 + wanted)
        for wanted in (3, 4):
            os.dup2(100 + wanted, wanted)
            os.close(100 + wanted)

    profile = folder / "profile"
    argv = [str(PROGRAM), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            close_fds=False, preexec_fn=place_pipes,  # noqa: PLW1509 # one thread only
        )  # fmt: skip
        os.close(to_read)
        os.close(from_write)
        made = Browser(from_read, to_write)
        try:
            target = made.call("Target.createTarget", url="about:blank")["targetId"]
            attached = made.call("Target.attachToTarget", targetId=target, flatten=True)
            made.session = attached["sessionId"]
            for domain in ("Page", "Network", "Log", "Runtime"):
                made.call(f"{domain}.enable")
            yield made
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(30)
            os.close(to_write)
            os.close(from_read)
