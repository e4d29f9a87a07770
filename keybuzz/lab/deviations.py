"""What a lab host is not: the part of `kbz lab diff` that no configuration file can show."""

from __future__ import annotations

from dataclasses import dataclass

from keybuzz.lab.hosts.recipe import SERVER
from keybuzz.lab.supply.artefacts import programs
from keybuzz.lab.supply.stand_ins import stand_ins
from keybuzz.model.inventory.lab import LabSettings


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that a green lab does not prove."""

    subject: str
    production: str
    lab: str


_FIXED = (
    Deviation(
        "operating system",
        "Ubuntu 24.04",
        "Debian 12 and, where the overlay says so (hosts), Debian 13, from this machine's mirror",
    ),
    Deviation("virtualisation", "a virtual machine", "a systemd-nspawn container"),
    Deviation(
        "kernel",
        "one per server",
        "this machine's, shared: vm.* and fs.* sysctls, swap and the clock are not the host's own",
    ),
    Deviation("Docker Engine", "Docker CE, pinned", "docker.io of Debian 12 or 13"),
    Deviation(
        "memory limits",
        "enforced",
        "only where this machine has the memory controller on cgroup2",
    ),
    Deviation(
        "disk", "one per server", "a file of 16 GiB per host, with ext4 that keeps no journal"
    ),
    Deviation("route out", "the Internet", "none: 10.0.0.0/16 and nothing else"),
    Deviation(
        "name servers",
        "1.1.1.1 and 8.8.8.8 answer",
        "both answer at once that there is no such name; no host answers for its name on the bridge",
    ),
    Deviation(
        "load balancers",
        "the provider's; 10.0.0.5 and 10.0.0.6 ask HTTP /healthz",
        "HAProxy of Debian 12, with TCP checks as LB-2 wants them",
    ),
    Deviation(
        "packages of module 2",
        "installed by kbz",
        "already in the base, because no host can fetch them (no software-properties-common)",
    ),
    Deviation(
        "time service",
        "synchronises the clock",
        "systemd-timesyncd is installed; systemd does not start it in a container",
    ),
    Deviation("systemd of root", "starts and ends with its logins", "lingers from boot on"),
    Deviation(
        "auditd",
        "records",
        "can be enabled, is skipped at start: the kernel lets no container audit",
    ),
)


def deviations(settings: LabSettings) -> tuple[Deviation, ...]:
    """Return everything that this lab has unlike production."""
    masked = Deviation("masked units", "active", "masked in the base: " + " ".join(SERVER.masked))
    images = tuple(
        Deviation(f"image {image.reference}", "the frozen image", image.provenance)
        for image in stand_ins()
    )
    others = tuple(
        Deviation(f"program {program.name}", program.stands_for, program.provenance)
        for program in programs()
    )
    made = (*images, *others) if settings.upstream is None else ()
    return (*_FIXED, masked, *made)
