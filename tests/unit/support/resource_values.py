"""Hypothesis strategies for every kind of resource, and the simulator that applies a plan to states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

from hypothesis import strategies as st

import tests.unit.tasks
from keybuzz.model.core.content import Content, QuotedSecret
from keybuzz.model.core.plan import Action, Change, State
from keybuzz.model.core.resource import Resource, Value
from keybuzz.model.core.secret import DigestKey, Secret
from keybuzz.model.host.docker import Bind, Container, DockerDaemon, Image, StoppedContainer
from keybuzz.model.host.files import (
    Absent,
    Artefact,
    ContainerSignal,
    Directory,
    File,
    HostValidator,
    ImageValidator,
    Symlink,
    UnitReload,
)
from keybuzz.model.host.power import ContainerKilled, ContainerStarted
from keybuzz.model.host.restart import ContainerRestart, Reboot, ServiceRestart
from keybuzz.model.host.retired import Retired
from keybuzz.model.host.system import (
    Firewall,
    FirewallRule,
    InterfaceOption,
    NoSwap,
    OperatingSystem,
    Package,
    Service,
    SshServer,
    Sysctl,
    SystemdUnit,
)
from tasks.galera.service.resources import (
    MariadbData,
    MysqlAccess,
    MysqlDatabase,
    MysqlNoUser,
    MysqlUser,
)
from tasks.k3s.service.resources import (
    K3sDrained,
    K3sForgotten,
    K3sManifest,
    K3sSchedulable,
    K3sSnapshot,
    K3sStart,
    K3sToken,
    K3sTokenRotated,
)
from tasks.minio.service.resources import (
    MinioAccess,
    MinioAliases,
    MinioBucket,
    MinioDrive,
    MinioNoUser,
    MinioUser,
)
from tasks.patroni.service.resources import (
    BackupRights,
    Database,
    Extension,
    NoRole,
    PatroniIdentity,
    PatroniLeader,
    PatroniSettings,
    PatroniSlot,
    PostgresAccess,
    Role,
)
from tasks.patroni.service.rest import PatroniRestPassword
from tasks.proxysql.service.resources import (
    Placement,
    ProxysqlNoUser,
    ProxysqlOpen,
    ProxysqlStartup,
    ProxysqlTable,
    ProxysqlTables,
    ProxysqlVariables,
    ProxysqlWriter,
)
from tasks.rabbitmq.service.accounts import RabbitmqAccount, RabbitmqVhost
from tasks.rabbitmq.service.resources import (
    RabbitmqAccess,
    RabbitmqData,
    RabbitmqForgotten,
    RabbitmqMembership,
    RabbitmqNoUser,
    RabbitmqReplicas,
    RabbitmqUser,
)
from tasks.redis.service.resources import (
    RedisAccess,
    RedisData,
    RedisMaster,
    RedisPassword,
    RedisRuntime,
    RedisSettings,
    RuntimeFile,
    SentinelMonitor,
    SentinelRuntime,
    SentinelWatch,
)
from tests.unit.support.site_values import identifiers, lawless_secrets

KEY = DigestKey(b"k" * 32)
"""The key of the digests in these states."""
_words = identifiers
_paths = st.lists(_words, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
_texts = st.text(max_size=20)
_numbers = st.integers(0, 65_535)
_modes = st.integers(0, 0o777)
_secrets = st.builds(Secret, _words, lawless_secrets)
_parts = st.one_of(_texts, _secrets, st.builds(QuotedSecret, _secrets))
_contents = st.lists(_parts, max_size=4).map(lambda parts: Content(tuple(parts)))
_access = st.builds(PostgresAccess, _words, _words, st.just("http://127.0.0.1:8008"))
_url = st.just("http://127.0.0.1:8008")
_pairs = st.lists(st.tuples(_words, _words), max_size=3).map(tuple)
_settings = st.dictionaries(_words, st.one_of(_texts, st.integers(), st.booleans()), max_size=4)
_environment = st.lists(
    st.tuples(_words, st.one_of(_texts, _secrets)), max_size=3, unique_by=lambda item: item[0]
)
_rules = st.builds(FirewallRule, st.just("10.0.0.0/16"), st.sampled_from(["", "22"]))
_rabbit = st.builds(RabbitmqAccess, _words, st.just("10.0.0.126"), _words, _secrets, _words)
_redis = st.builds(
    RedisAccess, st.just("10.0.0.123"), _secrets, former=st.one_of(st.none(), _secrets)
)
_runtime = st.builds(RuntimeFile, _paths, _numbers, _numbers, _words)
_watch = st.builds(SentinelWatch, _words, st.integers(1, 5), _pairs, st.just("10.0.0.123"))
_mysql = st.builds(MysqlAccess, st.just("10.0.0.170"), _words, _secrets)
_minio = st.builds(MinioAccess, st.just("10.0.0.134"), _words, _secrets)
_address = st.sampled_from([None, "10.0.0.124"])
_cells = st.one_of(_words, _secrets)
_table = st.lists(_words, min_size=1, max_size=3, unique=True).flatmap(
    lambda columns: st.builds(
        ProxysqlTable,
        _words,
        st.just(tuple(columns)),
        st.lists(
            st.tuples(*(st.tuples(st.just(column), _cells) for column in columns)), max_size=3
        ).map(tuple),
        st.sampled_from([None, Placement("hostgroup_id", "10", ("20", "30"), "9999")]),
    )
)
_variables = st.lists(
    st.tuples(_words, _cells), min_size=1, max_size=3, unique_by=lambda item: item[0]
)


def of_modules() -> dict[str, st.SearchStrategy[Resource]]:
    """Return the kinds that are a module's own: `VALUES` of tests/unit/tasks/<module>/kinds.py."""
    packages = (entry.name for entry in iter_modules(tests.unit.tasks.__path__) if entry.ispkg)
    names = (f"tests.unit.tasks.{package}.kinds" for package in packages)
    found: dict[str, st.SearchStrategy[Resource]] = {}
    for name in names:
        if find_spec(name) is not None:
            found.update(import_module(name).VALUES)
    return found


RESOURCES: Mapping[str, st.SearchStrategy[Resource]] = {
    **of_modules(),
    "directory": st.builds(Directory, _paths, _numbers, _numbers, _modes),
    "symlink": st.builds(Symlink, _paths, _paths),
    "absent": st.builds(Absent, _paths),
    "retired": st.builds(
        Retired,
        st.sampled_from(["unit", "container", "file", "folder"]),
        _words,
        st.one_of(st.just(""), _words),
    ),
    "file": st.builds(
        File,
        _paths,
        _contents,
        _numbers,
        _numbers,
        _modes,
        st.sampled_from(
            [None, HostValidator(("check", "{}")), ImageValidator("i:1.0", ("check",), "/f")]
        ),
        st.sampled_from([None, ContainerSignal("c"), UnitReload("u.service")]),
    ),
    "artefact": st.builds(Artefact, _paths, _words, _paths.map(Path)),
    "interface-option": st.builds(InterfaceOption, _paths, _words, st.just("10.0.0.110")),
    "operating-system": st.builds(OperatingSystem, _words),
    "package": st.builds(Package, _words),
    "sysctl": st.builds(Sysctl, _words, _words),
    "service": st.builds(Service, _words, st.booleans(), st.booleans()),
    "swap": st.builds(NoSwap),
    "systemd-unit": st.builds(SystemdUnit, _words, _texts, st.booleans()),
    "ssh-server": st.builds(SshServer, _pairs),
    "firewall": st.builds(Firewall, st.lists(_rules, max_size=3).map(tuple)),
    "image": st.builds(Image, _words.map(lambda word: f"{word}:1.0"), st.booleans()),
    "container": st.builds(
        Container,
        _words,
        _words,
        st.lists(_words, max_size=3).map(tuple),
        _environment.map(tuple),
        st.lists(st.builds(Bind, _paths, _paths, st.booleans()), max_size=3).map(tuple),
        _words,
        _words,
        extra_hosts=st.lists(st.tuples(_words, st.just("10.0.0.126")), max_size=3).map(tuple),
    ),
    "container-stopped": st.builds(StoppedContainer, _words),
    "container-killed": st.builds(ContainerKilled, _words),
    "container-started": st.builds(ContainerStarted, _words),
    "docker-daemon": st.builds(DockerDaemon, _words, _words, _words),
    "mariadb-data": st.builds(MariadbData, _paths, st.just("10.11")),
    "mysql-database": st.builds(MysqlDatabase, _mysql, _words, _words, _words),
    "mysql-user": st.builds(MysqlUser, _mysql, _words, _secrets, _pairs),
    "mysql-no-user": st.builds(MysqlNoUser, _mysql, _words, _words),
    "postgres-role": st.builds(Role, _access, _words, _secrets, st.booleans(), st.booleans()),
    "postgres-no-role": st.builds(NoRole, _access, _words),
    "postgres-database": st.builds(Database, _access, _words, _words),
    "postgres-extension": st.builds(Extension, _access, _words, _words),
    "patroni-settings": st.builds(
        PatroniSettings, _url, _settings.map(lambda found: tuple(found.items())), _words, _secrets
    ),
    "patroni-identity": st.builds(
        PatroniIdentity, _url, _words, _words, _paths, _words, _paths, _numbers
    ),
    "patroni-rest-password": st.builds(PatroniRestPassword, _words, _secrets),
    "patroni-leader": st.builds(PatroniLeader, _url, _words, _words, _secrets),
    "patroni-slot": st.builds(
        PatroniSlot, st.lists(_url, max_size=2).map(tuple), _words, _words, _words, _secrets
    ),
    "postgres-backup-rights": st.builds(BackupRights, _access, _words),
    "minio-aliases": st.builds(MinioAliases, _paths, _words, _url),
    "minio-bucket": st.builds(MinioBucket, _minio, _words),
    "minio-no-user": st.builds(MinioNoUser, _minio, _words),
    "minio-user": st.builds(
        MinioUser, _minio, _words, _secrets, st.lists(_words, max_size=2).map(tuple)
    ),
    "rabbitmq-data": st.builds(RabbitmqData, _paths, st.just(("quorum_queue",))),
    "minio-drive": st.builds(MinioDrive, _paths, st.booleans(), st.just(("1/xl/3",))),
    "proxysql-open": st.builds(ProxysqlOpen, _mysql, st.just(3306)),
    "proxysql-startup": st.builds(
        ProxysqlStartup, _mysql, _words, st.lists(st.tuples(_words, _words), max_size=2).map(tuple)
    ),
    "proxysql-tables": st.builds(
        ProxysqlTables, _mysql, _words, st.lists(_table, min_size=1, max_size=2).map(tuple)
    ),
    "proxysql-variables": st.builds(ProxysqlVariables, _mysql, _words, _variables.map(tuple)),
    "rabbitmq-forgotten": st.builds(RabbitmqForgotten, _rabbit, _words),
    "rabbitmq-membership": st.builds(
        RabbitmqMembership, _rabbit, st.lists(_words, max_size=3).map(tuple)
    ),
    "proxysql-writer": st.builds(
        ProxysqlWriter,
        _mysql,
        st.just(Placement("hostgroup_id", "10", ("20", "30"), "9999")),
        _words,
    ),
    "proxysql-no-user": st.builds(ProxysqlNoUser, _mysql, _words),
    "rabbitmq-no-user": st.builds(RabbitmqNoUser, _rabbit, _words),
    "rabbitmq-replicas": st.builds(RabbitmqReplicas, _rabbit),
    "rabbitmq-user": st.builds(RabbitmqUser, _rabbit),
    "rabbitmq-vhost": st.builds(RabbitmqVhost, _rabbit, _words),
    "rabbitmq-account": st.builds(
        RabbitmqAccount, _rabbit, _words, _secrets, st.lists(_words, max_size=2).map(tuple)
    ),
    "container-restart": st.builds(ContainerRestart, _words, _numbers, _words),
    "reboot": st.builds(Reboot, _words),
    "service-restart": st.builds(ServiceRestart, _words, _words),
    "k3s-drained": st.builds(K3sDrained, _words),
    "k3s-forgotten": st.builds(K3sForgotten, _words),
    "k3s-manifest": st.builds(K3sManifest, _words, st.lists(_words, max_size=2).map(tuple)),
    "k3s-schedulable": st.builds(K3sSchedulable, _words),
    "k3s-snapshot": st.builds(K3sSnapshot, _words),
    "k3s-token-rotated": st.builds(K3sTokenRotated, _secrets),
    "k3s-token": st.builds(K3sToken, _secrets),
    "k3s-start": st.builds(K3sStart, _words, st.just("server"), _words),
    "redis-data": st.builds(RedisData, _paths, _numbers),
    "redis-master": st.builds(RedisMaster, _redis, _words, _words),
    "redis-password": st.builds(RedisPassword, _redis),
    "redis-runtime": st.builds(RedisRuntime, _runtime, st.just(6379), _address),
    "redis-settings": st.builds(RedisSettings, _redis, _pairs),
    "sentinel-monitor": st.builds(SentinelMonitor, _redis, _watch, _paths),
    "sentinel-runtime": st.builds(SentinelRuntime, _runtime, _redis, _watch, _address),
}
"""Any resource of each kind. Secrets in them hold PLANTED."""

any_resource = st.one_of(*RESOURCES.values())
any_resources = st.lists(any_resource, max_size=6, unique_by=lambda resource: resource.identity)
_values: st.SearchStrategy[Value] = st.one_of(
    st.none(), st.booleans(), st.integers(), _texts, st.lists(_texts, max_size=2).map(tuple)
)


@st.composite
def states_of(draw: st.DrawFn, resources: Iterable[Resource]) -> dict[str, State]:
    """Return what any host may answer: right, absent, different, unreadable, or not asked."""
    found: dict[str, State] = {}
    for resource in resources:
        identity = resource.identity
        kind = draw(st.sampled_from(["right", "absent", "different", "problem", "silent"]))
        wanted = dict(resource.wanted(KEY))
        if kind == "right":
            found[identity] = State(identity, True, wanted, draw(st.none() | _texts))
        elif kind == "absent":
            found[identity] = State(identity, False)
        elif kind == "different":
            names = draw(st.sets(st.sampled_from(sorted(wanted)))) if wanted else set()
            other = {name: draw(_values) for name in names}
            found[identity] = State(identity, True, {**wanted, **other, "more": 1})
        elif kind == "problem":
            found[identity] = State(identity, False, problem="Docker does not answer")
    return found


def applied(states: Mapping[str, State], changes: Iterable[Change]) -> dict[str, State]:
    """Return the states after a host has done exactly what the changes say, and nothing else.

    What could not be read before can be read afterwards, and is found absent.
    """
    after = dict(states)
    for change in changes:
        if change.action is Action.LATER:
            after[change.identity] = State(change.identity, False)
            continue
        old = states[change.identity].attributes if change.action is Action.UPDATE else {}
        made = {item.attribute: item.wanted for item in change.differences}
        after[change.identity] = State(change.identity, True, {**old, **made})
    return after
