"""The file of pinned machines, next to the file of pinned host keys: one line for each server.

    10.0.0.11 5d41402abc4b2a76b9719d911017c592 haproxy-01

Address, digest of the machine id, and what the machine called itself when it was pinned. Empty lines and comments are
skipped; any other line is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.transport.ssh.known_hosts import lines_of, words_of
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
    """Return the pins by address; no file is like an empty one.

    InputError with file:line for a line that is no pin, or the second of an address: a pin that cannot be read is not
    the same as none, which any machine would satisfy.
    """
    pins: dict[str, Pin] = {}
    for number, line in enumerate(lines_of(read_text(path)), 1):
        text = line.strip(" \t\r\n")
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise _damaged(path, number, "is no pin: address, digest of 32 digits, name")
        if match[1] in pins:
            raise _damaged(path, number, f"pins a second machine for {match[1]}")
        pins[match[1]] = Pin(match[2], match[3])
    return pins


def _damaged(path: Path, number: int, what: str) -> InputError:
    return InputError(
        what,
        where=f"{path}:{number}",
        hint="put the line back from a backup; or delete it, and after a comparison with the host's console: "
        "kbz hosts trust HOST",
    )


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
    return "".join(line for line in lines_of(text) if words_of(line)[:1] != [address])
