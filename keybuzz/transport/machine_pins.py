"""The file of pinned machines, next to the file of pinned host keys: one line for each server.

    10.0.0.121 5d41402abc4b2a76b9719d911017c592 redis-01

Address, digest of the machine id, and what the machine called itself when it was pinned. Other lines are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keybuzz.transport.ssh.pinning import read_text, rewrite

FILE = "known_machines"
_LINE = re.compile(r"(\d+(?:\.\d+){3}) ([0-9a-f]{32}) (\S{1,64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """What is pinned of one machine."""

    id: str
    """Digest of its machine id."""
    called: str
    """Its own name."""


def pins_file(known_hosts: Path) -> Path:
    """Return the file of pinned machines that belongs to a file of pinned keys."""
    return known_hosts.with_name(FILE)


def read_pins(path: Path) -> dict[str, Pin]:
    """Return the pins by address; no file is like an empty one."""
    found = (_LINE.fullmatch(line.strip()) for line in read_text(path).splitlines())
    return {match[1]: Pin(match[2], match[3]) for match in found if match}


def write_pins(path: Path, pins: Mapping[str, Pin]) -> None:
    """Pin machines by address, each in place of what was pinned for that address."""

    def change(text: str) -> str:
        for address in pins:
            text = _without(text, address)
        separator = "" if not text or text.endswith("\n") else "\n"
        lines = [f"{address} {pin.id} {pin.called}\n" for address, pin in sorted(pins.items())]
        return f"{text}{separator}{''.join(lines)}"

    if pins:
        rewrite(path, change)


def forget_machine(path: Path, address: str) -> bool:
    """Remove the pin of an address; return whether there was one."""
    text = read_text(path)
    if _without(text, address) == text:
        return False
    rewrite(path, lambda now: _without(now, address))
    return True


def _without(text: str, address: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.split()[:1] != [address])
