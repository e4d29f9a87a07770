"""SSH keys of the lab: one for the controller, one for each host, all pinned."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path

from keybuzz.lab.hosts.process import run
from keybuzz.model.inventory.lab import LabSettings


def controller_key(settings: LabSettings) -> str:
    """Make sure that the controller has its key; return the public half as one line."""
    folder = settings.private_key.parent
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not settings.private_key.exists():
        generate(settings.private_key, f"controller of {settings.name}")
    return settings.private_key.with_suffix(".pub").read_text().strip()


def generate(target: Path, comment: str) -> str:
    """Write a new ed25519 key pair that appears whole or not at all; return the public half."""
    unfinished = target.with_name(f"unfinished-{target.name}")
    for leftover in (unfinished, unfinished.with_suffix(".pub"), target):
        leftover.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", unfinished])
    public = unfinished.with_suffix(".pub")
    text = public.read_text().strip()
    public.rename(target.with_suffix(".pub"))
    unfinished.rename(target)
    return text


def known_hosts_text(keys: Mapping[IPv4Address, str]) -> str:
    """Return the known_hosts file that pins each address to its host's public key, by address."""
    lines = []
    for address in sorted(keys):
        kind, key = keys[address].split()[:2]
        lines.append(f"{address} {kind} {key}\n")
    return "".join(lines)


def pin(settings: LabSettings, keys: Mapping[IPv4Address, str]) -> None:
    """Replace the lab's known_hosts by exactly these keys."""
    settings.known_hosts.parent.mkdir(parents=True, exist_ok=True)
    unfinished = settings.known_hosts.with_suffix(".new")
    unfinished.write_text(known_hosts_text(keys))
    unfinished.replace(settings.known_hosts)
