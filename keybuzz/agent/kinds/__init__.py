"""How each kind of resource is read and written.

A module has `read_<kind>(query, context) -> State` and `write_<kind>(order, context) -> None` for its kinds, with
dashes turned into underscores. The modules of kbz bring kinds of their own (keybuzz.agent.parts). `State` is the wire
form of keybuzz.model.core.plan.State.
"""

from __future__ import annotations

from importlib import import_module

from keybuzz.agent import parts
from keybuzz.agent.runtime.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypedDict

    from keybuzz.agent.runtime.context import Context

    class State(TypedDict, total=False):
        """The answer about one resource."""

        present: bool
        attributes: dict[str, Any]
        text: str
        problem: str

    Query = dict[str, Any]
    Reader = Callable[[Query, Context], State]
    Writer = Callable[[Query, Context], None]

_MODULES = {
    "directory": "host.files",
    "symlink": "host.files",
    "absent": "host.files",
    "file": "host.file",
    "artefact": "host.artefact",
    "interface-option": "host.interface_option",
    "operating-system": "host.system",
    "package": "host.packages",
    "sysctl": "host.system",
    "service": "host.system",
    "swap": "host.system",
    "systemd-unit": "host.systemd_unit",
    "ssh-server": "host.ssh_server",
    "retired": "host.retired",
    "firewall": "host.firewall",
    "image": "docker.images",
    "container": "docker.containers",
    "container-stopped": "docker.containers",
    "container-killed": "docker.power",
    "container-started": "docker.power",
    "docker-daemon": "host.docker_daemon",
    "container-restart": "docker.restart",
    "reboot": "docker.restart",
    "service-restart": "docker.restart",
}


def reader(kind: str) -> Reader:
    """Return the function that reads a kind."""
    found: Reader = _find("read", kind)
    return found


def writer(kind: str) -> Writer:
    """Return the function that writes a kind."""
    found: Writer = _find("write", kind)
    return found


def _find(verb: str, kind: str) -> Any:
    if kind not in _MODULES:
        found = parts.function(parts.KINDS, verb, kind)
        if found is None:
            raise AgentError(f"this agent does not know resources of kind {kind}", "update kbz")
        return found
    module = import_module(f"keybuzz.agent.kinds.{_MODULES[kind]}")
    return getattr(module, f"{verb}_{kind.replace('-', '_')}")
