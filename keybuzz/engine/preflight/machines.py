"""What is wrong with a machine itself: another processor, an old kernel, a second firewall, a copy of another one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from keybuzz.model.core.proposed import on_host
from keybuzz.model.host.readiness import ReadinessAnswer
from keybuzz.model.reports.preflight import Obstacle

ARCHITECTURE = "x86_64"
"""Of the programs in versions.yaml, and of what the images are pulled for."""
KERNEL = (5, 8)
"""The first release whose cgroup v2 does all that Kubernetes asks of it (its documentation)."""
OF_ITS_OWN = frozenset({"firewalld.service"})
"""Firewalls that remove only their own rules when they stop. The others flush the rules of ufw and of Docker too:
nftables.service ends with `nft flush ruleset`, shorewall.service with `clear`, netfilter-persistent as it is set.
"""


def of_machine(host: str, said: ReadinessAnswer) -> Iterator[Obstacle]:
    """Yield what one machine is not, or has too much of."""
    if said["architecture"] != ARCHITECTURE:
        what = (
            f"its processor is {said['architecture']}; programs and images are for {ARCHITECTURE}"
        )
        yield Obstacle((host,), "machine", what, "order another server, and replace this one")
    numbers = re.match(r"(\d+)\.(\d+)", said["kernel"])
    if numbers is None or (int(numbers[1]), int(numbers[2])) < KERNEL:
        least = ".".join(map(str, KERNEL))
        what = f"its kernel is {said['kernel']}; Kubernetes and Docker need {least} or newer"
        yield Obstacle((host,), "kernel", what, "upgrade the system, and start it again")
    for unit in said["firewalls"]:
        what = f"{unit} starts with the system, and would load its rules over those of ufw"
        yield Obstacle((host,), "another firewall", what, _way_out(host, unit))


def _way_out(host: str, unit: str) -> str:
    """Return what takes a firewall out of the next start, and no rule of another one now."""
    if unit in OF_ITS_OWN:
        return on_host(host, "systemctl", "disable", "--now", unit)
    todo = on_host(host, "systemctl", "disable", unit)
    why = "that can flush the rules of ufw and Docker too"
    return f"{todo}; do not stop it: {why}. Its own rules stay until the next start"


NEW_ID = "rm -f /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup"
"""Makes another machine id. D-Bus' own file would give systemd the old one again, where it is no link."""


def of_copies(heard: Mapping[str, ReadinessAnswer]) -> Iterator[Obstacle]:
    """Yield the machines that share a machine id: copies of one disk, which systemd and Kubernetes take for one."""
    hosts: dict[str, list[str]] = defaultdict(list)
    for host, said in heard.items():
        if said["machine"]:
            hosts[said["machine"]].append(host)
    for names in hosts.values():
        if len(names) > 1:
            shown = ", ".join(sorted(names))
            yield Obstacle(
                tuple(sorted(names)),
                "machine id",
                f"{shown} have the same: copies of one disk",
                f"on all but one: {NEW_ID}, and start it again",
            )
