"""Containers of the lab's hosts, and bare machines in the place of others."""

from __future__ import annotations

from collections.abc import Iterable

from tests.lab.conftest import Kbz

_SHOWN = "docker ps -aq | xargs -r docker inspect -f '{{.Name}} {{.Id}} {{.State.StartedAt}}'"


def containers(kbz: Kbz, hosts: Iterable[str]) -> dict[str, dict[str, tuple[str, str]]]:
    """Return each host's containers by name: their id, and when they have started."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for host in hosts:
        rows = (line.split() for line in kbz.on(host, _SHOWN).splitlines())
        found[host] = {name.removeprefix("/"): (number, at) for name, number, at in rows}
    return found


def put_new_machine(kbz: Kbz, host: str, module: str) -> None:
    """Put a bare one there; it is refused by its key, until somebody compared and pinned it."""
    kbz.good("lab", "replace", host, "--confirm", kbz.root.name)
    pinned_anew(kbz, host, module)


def pinned_anew(kbz: Kbz, host: str, module: str) -> None:
    """Compare and pin a new machine's key, as the refusal says; one at a time, for the file has no lock."""
    refused = kbz("run", module, "--limit", host)
    assert refused.code == 4, refused.stdout
    assert f"kbz hosts forget {host}" in refused.stdout + refused.stderr
    kbz.good("hosts", "forget", host)
    shown = kbz.on(host, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    kbz.good("hosts", "trust", host, "--fingerprint", shown)
