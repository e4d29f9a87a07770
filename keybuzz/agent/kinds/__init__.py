"""How each kind of resource is read and written.

A module has `read_<kind>(query, context) -> State` and `write_<kind>(order, context) -> None` for its kinds, with
dashes turned into underscores. `State` is the wire form of keybuzz.model.plan.State.
"""

from __future__ import annotations

from importlib import import_module

from keybuzz.agent.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypedDict

    from keybuzz.agent.context import Context

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
    "directory": "files",
    "symlink": "files",
    "absent": "files",
    "file": "file",
    "artefact": "artefact",
    "interface-option": "interface_option",
    "operating-system": "system",
    "package": "packages",
    "sysctl": "system",
    "service": "system",
    "swap": "system",
    "systemd-unit": "systemd_unit",
    "ssh-server": "ssh_server",
    "firewall": "firewall",
    "image": "images",
    "container": "containers",
    "container-stopped": "containers",
    "docker-daemon": "docker_daemon",
    "postgres-role": "postgres",
    "postgres-database": "postgres",
    "postgres-extension": "postgres",
    "mariadb-data": "mariadb",
    "mysql-database": "mariadb",
    "mysql-user": "mariadb",
    "patroni-settings": "patroni",
    "patroni-leader": "patroni",
    "patroni-identity": "patroni",
    "container-restart": "restart",
    "reboot": "restart",
    "service-restart": "restart",
    "k3s-drained": "k3s",
    "k3s-forgotten": "k3s",
    "k3s-manifest": "k3s",
    "k3s-schedulable": "k3s",
    "k3s-snapshot": "k3s",
    "k3s-start": "k3s_start",
    "host-names": "host_names",
    "minio-aliases": "minio",
    "minio-bucket": "minio",
    "minio-drive": "minio",
    "rabbitmq-forgotten": "rabbitmq",
    "rabbitmq-membership": "rabbitmq",
    "rabbitmq-no-user": "rabbitmq",
    "rabbitmq-replicas": "rabbitmq",
    "rabbitmq-user": "rabbitmq",
    "proxysql-tables": "proxysql",
    "proxysql-variables": "proxysql",
    "redis-data": "redis",
    "redis-master": "redis",
    "redis-password": "redis_password",
    "redis-runtime": "redis",
    "redis-settings": "redis",
    "sentinel-monitor": "sentinel",
    "sentinel-runtime": "sentinel",
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
        raise AgentError(f"this agent does not know resources of kind {kind}", "update kbz")
    module = import_module(f"keybuzz.agent.kinds.{_MODULES[kind]}")
    return getattr(module, f"{verb}_{kind.replace('-', '_')}")
