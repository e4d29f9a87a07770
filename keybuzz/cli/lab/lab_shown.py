"""What `kbz lab status`, `images` and `diff` found, as text and as documents. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keybuzz.lab.deviations import Deviation
    from keybuzz.lab.services import ServiceStatus
    from keybuzz.lab.status import HostStatus
    from keybuzz.lab.supply.images import ImageRow

FORMAT_VERSION = 1
_MEBIBYTE = 2**20


def status_text(servers: Sequence[HostStatus], services: Iterable[ServiceStatus]) -> str:
    """Return a row for each server, and one for each port of each service."""
    lines = [f"{'SERVER':<16} {'ADDRESS':<12} {'STATE':<10} {'SSH':<4} {'CABLE':<6} MEMORY"]
    lines += [_server(row) for row in servers]
    good = sum(row.state == "running" and row.ssh for row in servers)
    lines += [f"{good} of {len(servers)} run and answer SSH.", ""]
    lines.append(f"{'SERVICE':<16} {'ADDRESS':<12} {'PORT':<6} {'STATE':<8} TARGETS")
    lines += [_service(row) for row in services]
    return "".join(f"{line}\n" for line in lines)


def _server(row: HostStatus) -> str:
    ssh = "yes" if row.ssh else "no"
    cable = "in" if row.cable else "out"
    memory = f"{row.memory / _MEBIBYTE:.0f} MiB in {row.processes} processes"
    if not row.processes:
        ssh, cable, memory = "-", "-", "-"
    return f"{row.name:<16} {row.address!s:<12} {row.state:<10} {ssh:<4} {cable:<6} {memory}"


def _service(row: ServiceStatus) -> str:
    state = "answers" if row.answers else "off"
    good = [one.target for one in row.targets if one.up]
    targets = f"{len(good)} of {len(row.targets)} up: {' '.join(good)}" if row.targets else ""
    line = f"{row.name:<16} {row.address!s:<12} {row.port:<6} {state:<8} {targets}"
    return line.rstrip(": ")


def status_document(
    servers: Iterable[HostStatus], services: Iterable[ServiceStatus]
) -> dict[str, Any]:
    """Return the same for programs; memory in bytes."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "lab status",
        "servers": [
            {
                "name": row.name,
                "address": str(row.address),
                "state": row.state,
                "ssh": row.ssh,
                "cable": row.cable,
                "processes": row.processes,
                "memory": row.memory,
            }
            for row in servers
        ],
        "services": [
            {
                "name": row.name,
                "address": str(row.address),
                "port": row.port,
                "answers": row.answers,
                "targets": [{"name": one.target, "up": one.up} for one in row.targets],
            }
            for row in services
        ],
    }


def images_text(rows: Iterable[ImageRow], held: frozenset[str]) -> str:
    """Return two lines for each stand-in; `held` are the ids of those that the lab's registry has."""
    lines: list[str] = []
    for row in rows:
        place = "in the registry" if row.identity in held else "not in the registry"
        state = f"{row.identity[7:19]}  {row.size / _MEBIBYTE:.0f} MiB  {place}"
        lines.append(f"{row.reference} ← {row.provenance}")
        lines.append(
            f"  {state if row.present else 'not built: no server that runs it was started'}"
        )
    return "".join(f"{line}\n" for line in lines)


def images_document(rows: Iterable[ImageRow], held: frozenset[str]) -> dict[str, Any]:
    """Return the same for programs; sizes in bytes."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "lab images",
        "images": [
            {
                "reference": row.reference,
                "provenance": row.provenance,
                "id": row.identity or None,
                "size": row.size,
                "in_registry": row.identity in held,
            }
            for row in rows
        ],
    }


def diff_text(overlay: str, values: str, deviations: Iterable[Deviation]) -> str:
    """Return the overlay as it stands in its file, and what no file can show."""
    lines = [f"Values of {overlay}, laid over those of production:", "", values.rstrip(), ""]
    lines += ["What every lab host is unlike:", ""]
    lines += [f"{one.subject}: {one.production} → {one.lab}" for one in deviations]
    return "".join(f"{line}\n" for line in lines)


def diff_document(overlay: str, values: str, deviations: Iterable[Deviation]) -> dict[str, Any]:
    """Return the same for programs; the overlay stays the text of its file."""
    return {
        "format_version": FORMAT_VERSION,
        "verb": "lab diff",
        "overlay": {"file": overlay, "text": values},
        "deviations": [
            {"subject": one.subject, "production": one.production, "lab": one.lab}
            for one in deviations
        ],
    }
