"""The settled values of facts/05, typed: what templates, description and rollout share."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.model.inventory.server import Server
from keybuzz.site.site import Site
from tasks.rabbitmq import parameters
from tasks.rabbitmq.service.resources import MANAGEMENT_PORT, RabbitmqAccess

GROUP = "rabbitmq"
CONTAINER = "rabbitmq"
UID = 999
"""User and group `rabbitmq` of the image."""
ROOT = "/opt/keybuzz/rabbitmq"
DATA = f"{ROOT}/data"
LOG = f"{ROOT}/log"
CONFIGURATION = f"{ROOT}/conf"
COOKIE = f"{DATA}/.erlang.cookie"
TEMPLATES = Path(__file__).parent / "templates"

CLUSTER = "keybuzz-queue"
AMQP_PORT = 5672
STOP_SECONDS = 120
_COOKIE = re.compile("[!-~]{16,255}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LINE_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class RabbitmqValues:
    """Every name of rabbitmq.conf.j2. It holds no secret."""

    address: str
    partition_handling: str
    cluster: str = CLUSTER
    port: int = AMQP_PORT
    management_port: int = MANAGEMENT_PORT


@dataclass(frozen=True, slots=True)
class PluginValues:
    """Every name of enabled_plugins.j2: an Erlang list of atoms."""

    plugins: str = "[rabbitmq_management]"


def rabbitmq_values(site: Site, server: Server) -> RabbitmqValues:
    """Return the values of rabbitmq.conf; InputError for a handling of partitions that RabbitMQ does not know."""
    return RabbitmqValues(str(server.address), parameters.PARTITION_HANDLING.of(site))


def open_files(site: Site) -> int:
    """Return how many files a node may have open; 0 for as many as the host gives."""
    return parameters.OPEN_FILES.of(site)


def data_of(site: Site) -> str:
    """Return the image whose data the described one loads: itself, where it is what its name says."""
    return parameters.DATA_OF.of(site) or site.image("rabbitmq")


def mark(values: RabbitmqValues) -> str:
    """Return what changes with the configuration: it stands in the container, which reads it only when it starts."""
    text = repr((_template("rabbitmq.conf.j2"), _template("enabled_plugins.j2"), values))
    return hashlib.sha256(f"{text}{PluginValues()}".encode()).hexdigest()[:12]


def node_name(server: Server) -> str:
    """Return the name of a node: it is part of its data, so it never changes."""
    return f"rabbit@{server.name}"


def node_names(site: Site) -> tuple[str, ...]:
    """Return the names of all nodes, sorted."""
    return tuple(sorted(node_name(server) for server in site.members(GROUP)))


def access(site: Site, server: Server) -> RabbitmqAccess:
    """Return how a node is reached; InputError for a user or password that it could not be told."""
    user = site.secret("RABBITMQ_USER").reveal()
    password = site.secret("RABBITMQ_PASSWORD")
    if not _USER.fullmatch(user) or user == "guest":
        raise _wrong("RABBITMQ_USER", "must be letters, digits, `_`, `.` or `-`, and not guest")
    if not sendable(password):
        raise _wrong("RABBITMQ_PASSWORD", "holds a control character or a line break")
    return RabbitmqAccess(node_name(server), str(server.address), user, password, CONTAINER)


def sendable(password: Secret) -> bool:
    """Return whether RabbitMQ can be told a password."""
    return not _LINE_BREAKS.search(password.reveal())


def cookie(site: Site) -> Secret:
    """Return the Erlang cookie; InputError for one that Erlang would read as another."""
    found = site.secret("RABBITMQ_ERLANG_COOKIE")
    if not _COOKIE.fullmatch(found.reveal()):
        raise _wrong(
            "RABBITMQ_ERLANG_COOKIE",
            "must be 16 to 255 printable characters of ASCII, without spaces",
        )
    return found


def _wrong(name: str, why: str) -> InputError:
    return InputError(f"{name} {why}", where="rabbitmq.env", hint="choose another one")


@lru_cache(maxsize=4)
def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
