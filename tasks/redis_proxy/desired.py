"""What an entry host of Redis must be (module 4, second step): HAProxy and the watcher beside it. Pure."""

from __future__ import annotations

from keybuzz.model.core.content import Content, Template
from keybuzz.model.core.reading import (
    Command,
    FileText,
    Reading,
    SocketQuestion,
    TcpPorts,
)
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Bind, Container, Image
from keybuzz.model.host.files import ContainerSignal, Directory, File, ImageValidator, UnitReload
from keybuzz.model.host.strays import Traces
from keybuzz.model.host.system import SystemdUnit
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.redis.service.readings import RedisQuery, RedisWrite
from tasks.redis_proxy import values
from tasks.redis_proxy.leftovers import LEFTOVERS

REPLICATION = ("INFO", "replication")
"""What a node is asked for its role."""
_INSIDE = "/usr/local/etc/haproxy"


def describe(site: Site, server: Server) -> Description:
    """Return the description of one host; who is master is no part of it, because that is Sentinel's to say."""
    return Description(
        resources=(
            Directory(values.ROOT),
            *_haproxy(site, server),
            *_watcher(site),
            *LEFTOVERS,
        ),
        readings=_readings(site, server),
        # The watcher says there how it is; Python keeps its own form of the program beside it.
        traces=Traces(
            files=(f"{values.STATUS}/*", f"{values.WATCHER}/__pycache__"),
        ),
    )


def _haproxy(site: Site, server: Server) -> tuple[Resource, ...]:
    uid, reference = values.UID, site.image("haproxy")
    mounted = f"{_INSIDE}/haproxy.cfg"
    return (
        Directory(values.CONFIGURATION, uid, uid, 0o700),
        Directory(values.RUN, uid, uid, 0o750),
        Image(reference),
        File(
            f"{values.CONFIGURATION}/haproxy.cfg",
            Template(values.TEMPLATES, "haproxy.cfg.j2", values.haproxy_values(site)),
            uid,
            uid,
            0o600,
            ImageValidator(reference, ("haproxy", "-c", "-f", mounted), mounted),
            # To the master process: a new worker takes over the sockets, the old one keeps its sessions.
            ContainerSignal(values.HAPROXY, "USR2"),
        ),
        Container(
            values.HAPROXY,
            reference,
            command=("haproxy", "-f", mounted),
            binds=(
                # The directory, not the file: a file that is replaced would stay old inside.
                Bind(values.CONFIGURATION, _INSIDE, read_only=True),
                Bind(values.RUN, values.RUN),
            ),
            hostname=server.name,
            user=f"{uid}:{uid}",
            stop_timeout=15,
        ),
    )


def _watcher(site: Site) -> tuple[Resource, ...]:
    restart = UnitReload(values.UNIT, "try-restart")
    program = Content.plain(values.source("redis_watcher.py"))
    entry = Content.plain(values.source("redis-update-master.sh"))
    return (
        Directory(values.STATUS),
        Directory(values.WATCHER, mode=0o700),
        # It is read again in every round, so it must not be told.
        File(
            f"{values.WATCHER}/watcher.json",
            Template(values.TEMPLATES, "watcher.json.j2", values.watcher_values(site)),
            mode=0o600,
        ),
        File(f"{values.WATCHER}/redis_watcher.py", program, reload=restart),
        File(values.PROGRAM, entry, mode=0o755, reload=restart),
        SystemdUnit(values.UNIT, values.source(values.UNIT)),
    )


def _readings(site: Site, server: Server) -> tuple[Reading, ...]:
    question = ("SENTINEL", "MASTER", values.master_name(site))
    return (
        SocketQuestion("redis-proxy.info", values.SOCKET, "show info"),
        SocketQuestion("redis-proxy.stat", values.SOCKET, "show stat"),
        TcpPorts("redis-proxy.ports", (values.REDIS_PORT,)),
        FileText("redis-proxy.heartbeat", values.HEARTBEAT),
        # The host's own clock: the heartbeat was written by it.
        Command("redis-proxy.clock", ("date", "+%s")),
        *(
            RedisQuery(
                f"redis-proxy.named-by.{member.name}",
                str(member.address),
                values.SENTINEL_PORT,
                (question,),
            )
            for member in site.members(values.REDIS_GROUP)
        ),
        *_way(site, "redis-proxy.session", "127.0.0.1", server.name),
        *(
            reading
            for entry in site.catalogue.virtual_addresses
            if values.GROUP in entry.targets and values.REDIS_PORT in entry.ports
            for reading in _way(
                site, f"redis-proxy.balancer.{entry.address}", str(entry.address), server.name
            )
        ),
    )


def role_at(site: Site, address: str) -> RedisQuery:
    """Return what `kbz lb check` asks at an address."""
    return _role(site, f"role at {address}", address)


def _way(site: Site, name: str, address: str, who: str) -> tuple[RedisQuery, RedisWrite]:
    """Return both proofs that an address leads to the master: its own word, and where a probe may be, a write."""
    key, password = f"kbz:probe:{who}", values.password(site)
    write = RedisWrite(f"{name}:write", address, values.REDIS_PORT, password, key)
    return _role(site, f"{name}:role", address), write


def _role(site: Site, name: str, address: str) -> RedisQuery:
    return RedisQuery(name, address, values.REDIS_PORT, (REPLICATION,), values.password(site))
