"""Containers of built stand-ins, run by the image builder itself: no lab, and no network but their own loopback."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keybuzz.lab.supply import builder, images
from keybuzz.lab.supply.stand_ins import stand_ins
from keybuzz.model.inventory.lab import LabSettings
from tests.lab.conftest import CACHE, Done

UPSTREAM = (
    os.environ.get("KBZ_LAB_REGISTRY", "")
    if os.environ.get("KBZ_LAB_IMAGES") == "upstream"
    else None
)
"""What scripts/rehearse says: the registry of the real images; None: stand-ins."""
REFERENCES = {stand_in.recipe: stand_in.reference for stand_in in stand_ins()}


@dataclass(frozen=True)
class Running:
    """One container that was started."""

    engine: Engine
    name: str

    def sh(self, script: str) -> Done:
        """Run a shell script in it, as its user."""
        return self.engine("exec", self.name, "sh", "-c", script)

    def says(self, script: str) -> str:
        """Return what a shell script in it prints; "" when it fails."""
        done = self.sh(script)
        return done.stdout if done.code == 0 else ""

    @property
    def runs(self) -> bool:
        return self.engine.good("inspect", "-f", "{{.State.Running}}", self.name) == "true\n"

    def log(self) -> Done:
        """Return both streams of its log."""
        return self.engine("logs", self.name)

    def ended(self) -> int:
        """Wait for its end and return its exit code."""
        return int(self.engine.good("wait", self.name))

    def signal(self, name: str) -> None:
        self.engine.good("kill", "--signal", name, self.name)

    def start(self) -> None:
        self.engine.good("start", self.name)


@dataclass(frozen=True)
class Engine:
    """The builder's Docker, with every stand-in."""

    settings: LabSettings

    def __call__(self, *words: str) -> Done:
        argv = [*builder.client(self.settings), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def good(self, *words: str) -> str:
        """Return what a command prints, and insist on its success."""
        done = self(*words)
        assert done.code == 0, f"docker {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def inspect(self, recipe: str) -> dict[str, Any]:
        """Return the configuration of a built stand-in."""
        (found,) = json.loads(self.good("image", "inspect", REFERENCES[recipe]))
        config: dict[str, Any] = found["Config"]
        return config

    def once(self, recipe: str, *command: str, options: tuple[str, ...] = ()) -> Done:
        """Run a command in a new container until it ends."""
        words = ("run", "--rm", "--network", "none", *options, REFERENCES[recipe], *command)
        return self(*words)

    @contextmanager
    def running(
        self, recipe: str, *command: str, options: tuple[str, ...] = ()
    ) -> Iterator[Running]:
        """Start a container in the background; it is gone when the block ends."""
        words = ("run", "--detach", "--network", "none", *options, REFERENCES[recipe], *command)
        name = self.good(*words).strip()
        try:
            yield Running(self, name)
        finally:
            self("rm", "--force", "--volumes", name)


@contextmanager
def engine() -> Iterator[Engine]:
    """Give the builder with every stand-in as its recipe says now."""
    root = Path(f"/var/lib/kbz-contracts-{os.getpid()}")
    settings = LabSettings(root.name, root, CACHE, upstream=UPSTREAM)
    images.ensure(settings, stand_ins(), lambda host, sentence: None)
    try:
        yield Engine(settings)
    finally:
        builder.leave(settings)
        root.rmdir()
