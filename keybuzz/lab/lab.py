"""The lab as a whole: up, down, reset, wipe. Each may be run again at any time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from keybuzz.lab import machine, requirements, services
from keybuzz.lab.hosts import base, disk, host, keys, readiness
from keybuzz.lab.hosts.process import Report, exclusive, run
from keybuzz.lab.layout import check_name, host_names, lock_file
from keybuzz.lab.network import network
from keybuzz.lab.supply import builder
from keybuzz.model.core.errors import KbzError
from keybuzz.model.inventory.lab import LabSettings
from keybuzz.model.inventory.server import Server

Item = TypeVar("Item")
EndHost = Callable[[LabSettings, str], None]

_BOOT_SECONDS = 180
_BOOTS_AT_ONCE = 6
_STOPS_AT_ONCE = 12


def up(settings: LabSettings, servers: Sequence[Server], report: Report) -> None:
    """Make sure that these servers run and answer SSH. Idempotent; repairs what a crash left.

    Servers that already run are left alone, as are hosts of the lab that are not named. Two callers
    at once wait for each other. Raises KbzError naming every host that did not come.
    """
    check_name(settings)
    requirements.ensure(report)
    with exclusive(lock_file(settings)):
        machine.raise_limits(report)
        bases = _bases(settings, servers, report)
        keys.controller_key(settings)
        network.ensure_bridge(settings)
        for server in servers:
            disk.ensure(settings, server, bases[settings.system(server.name)])
        keys.pin(settings, disk.public_keys(settings))
        _each(servers, lambda server: _bring_up(settings, server, report), _BOOTS_AT_ONCE)


def down(settings: LabSettings, report: Report) -> None:
    """Stop all hosts and services, remove namespaces and control groups; the hosts' disks stay."""
    _end(settings, host.stop, report)


def abandon(settings: LabSettings, report: Report) -> None:
    """As `down`, for a lab that will be wiped: no host is given the time to stop in order."""
    _end(settings, host.kill, report)


def wipe(settings: LabSettings, report: Report) -> None:
    """Delete everything below the root of a lab that is down; the cache (base, images) stays."""
    with exclusive(lock_file(settings)):
        alive = [name for name in host_names(settings) if host.group(settings, name).populated()]
        alive += services.running(settings)
        if alive:
            raise KbzError(f"still running: {' '.join(alive)}", where="lab", hint="kbz lab down")
        for name in host_names(settings):
            disk.erase(settings, name)
        report("", f"Deleting {settings.root}")
        run(["rm", "-rf", "--one-file-system", settings.root], seconds=600)


def reset(settings: LabSettings, servers: Sequence[Server], report: Report) -> None:
    """Make these hosts bare again: new disk, new host key, empty Docker. Others are not touched."""
    with exclusive(lock_file(settings)):
        for server in servers:
            report(server.name, "Deleting its disk.")
            host.kill(settings, server.name)
            disk.erase(settings, server.name)
    up(settings, servers, report)


def replace(settings: LabSettings, server: Server, report: Report) -> None:
    """Put a bare machine at a server's address: new disk, and a new host key that is not pinned.

    The keys that are pinned stay as they are, as they do when a real server is replaced.
    """
    requirements.ensure(report)
    with exclusive(lock_file(settings)):
        bases = _bases(settings, [server], report)
        report(server.name, "Deleting its disk.")
        host.kill(settings, server.name)
        disk.erase(settings, server.name)
        disk.ensure(settings, server, bases[settings.system(server.name)])
        _bring_up(settings, server, report)


def _bases(settings: LabSettings, servers: Sequence[Server], report: Report) -> dict[str, str]:
    """Return the digest of the base for each operating system that the servers have."""
    return base.server_bases(
        settings.cache, (settings.system(server.name) for server in servers), report
    )


def _bring_up(settings: LabSettings, server: Server, report: Report) -> None:
    try:
        failed = _mend(settings, server)
    except readiness.ContainerEndedError:
        failed = _boot(settings, server)
    trouble = f", but these units failed: {failed}" if failed else ""
    report(server.name, f"runs and answers SSH at {server.address}{trouble}")


def _mend(settings: LabSettings, server: Server) -> str:
    """Wait for a host that seems to run; it may be dying just now, which is told by an error."""
    if not host.running(settings, server.name):
        raise readiness.ContainerEndedError("it does not run", where=server.name)
    network.set_cable(settings, server.name, "up")
    return readiness.wait_until_ready(settings, server, _BOOT_SECONDS)


def _boot(settings: LabSettings, server: Server) -> str:
    certificate = disk.read(settings, server.name)
    if certificate is None:
        raise KbzError("it has no disk", where=server.name, hint="kbz lab up")
    host.start(settings, server, certificate)
    return readiness.wait_until_ready(settings, server, _BOOT_SECONDS)


def _end(settings: LabSettings, end: EndHost, report: Report) -> None:
    with exclusive(lock_file(settings)):
        hosts = host_names(settings)
        _each(hosts, lambda name: _take_down(settings, name, end, report), _STOPS_AT_ONCE)
        services.down(settings)
        network.remove_bridge(settings)
        builder.leave(settings)


def _take_down(settings: LabSettings, name: str, end: EndHost, report: Report) -> None:
    was_running = host.running(settings, name)
    end(settings, name)
    host.clear(settings, name)
    if was_running:
        report(name, "is down")


def _each(items: Sequence[Item], work: Callable[[Item], None], at_once: int) -> None:
    """Run `work` on every item, some at a time; all are tried, then every error is told at once."""
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        jobs = [pool.submit(work, item) for item in items]
    errors = [error for job in jobs if (error := job.exception()) is not None]
    for error in errors:
        if not isinstance(error, KbzError):
            raise error
    if errors:
        raise KbzError("\n".join(str(error) for error in errors))
