"""What stops a run of base settings before it changes anything. Pure."""

from __future__ import annotations

from keybuzz.model.core.errors import RefusedError
from keybuzz.model.core.live import Live
from keybuzz.model.core.plan import Action, Change
from keybuzz.model.host.docker import DockerDaemon
from keybuzz.model.host.system import Firewall, OperatingSystem, Package

_SHOWN = 5


def refuse(live: Live) -> None:
    """Raise RefusedError for the first change that must not be made as things are."""
    for change in live.changes():
        match change.resource:
            case OperatingSystem():
                _other_system(change)
            case Firewall() as firewall:
                _shut_out(live, change)
                _cut_off(live, change, firewall)
            case Package() as package:
                _newer(live, change, package)
            case DockerDaemon():
                _hidden(live, change)


def _other_system(change: Change) -> None:
    if change.action is Action.LATER:
        raise RefusedError(
            f"the system cannot be told: {change.reason}",
            where=change.host,
            hint="look at /etc/os-release there",
        )
    release = change.differences[0]
    raise RefusedError(
        f"the system is {release.observed}; site.yaml says {release.wanted}",
        where=change.host,
        hint="reinstall the server, or change base.operating_system",
    )


def _shut_out(live: Live, change: Change) -> None:
    """A user is logged in from where no rule lets SSH in: perhaps the operator who asked for this run."""
    if peers := _observed(live, change, "shut_out"):
        raise RefusedError(
            f"the firewall would shut out who is logged in over SSH from {_listed(peers)}",
            where=change.host,
            hint="add the operators' networks to base.admin_networks in site.yaml, or end these sessions",
        )


def _cut_off(live: Live, change: Change, firewall: Firewall) -> None:
    """Refuse to close what is none of our services: of those, the description says that they are private."""
    found = _observed(live, change, "served")
    if served := tuple(item for item in found if item.partition(" ")[0] not in firewall.services):
        raise RefusedError(
            f"the firewall would cut off what listens here for any address: {_listed(served)}",
            where=change.host,
            hint=f"in site.yaml, hosts, {change.host}: base.public_ports names the ports that stay open to "
            "all (such as 25/tcp 443/tcp), base.private_ports those that only the private network needs",
        )


def _newer(live: Live, change: Change, package: Package) -> None:
    state = live.hosts[change.host].states.get(change.identity)
    if state is None or not state.attributes.get("newer") or package.downgrade:
        return
    raise RefusedError(
        f"{package.package} {state.attributes.get('version')} is newer than {package.version} of site.yaml",
        where=change.host,
        hint="freeze the newer version (base.docker_version, for this host under `hosts`), or let kbz install the "
        "older one with base.docker_downgrade: yes",
    )


def _hidden(live: Live, change: Change) -> None:
    """The engine keeps containers in a store that base would switch off: it would not know them any more."""
    if containers := _observed(live, change, "in_containerd"):
        raise RefusedError(
            "Docker keeps its containers in containerd's store, and base switches it to overlay2, where these would "
            f"no longer be seen: {_listed(containers)}",
            where=change.host,
            hint="stop and remove them first (docker rm -f NAME; what is in binds and volumes stays), then run again",
        )
    if containers := _observed(live, change, "in_root"):
        root = live.hosts[change.host].attribute(change.identity, "root")
        raise RefusedError(
            f"Docker keeps its data in {root}, as only the present daemon.json says, and would begin empty in "
            f"/var/lib/docker; these would no longer be seen: {_listed(containers)}",
            where=change.host,
            hint="move data-root (and userns-remap) from daemon.json to ExecStart of docker.service, as --data-root "
            "PATH in a drop-in, and restart Docker; or remove the containers first (docker rm -f NAME; what is in "
            "binds stays), then run again",
        )


def _observed(live: Live, change: Change, attribute: str) -> tuple[str, ...]:
    found = live.hosts[change.host].attribute(change.identity, attribute)
    return tuple(map(str, found)) if isinstance(found, tuple) else ()


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
