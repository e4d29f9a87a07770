"""The settled values of facts/07, typed: what template, description, rollout and recovery share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from keybuzz.model.core.errors import InputError
from keybuzz.model.core.secret import Secret
from keybuzz.model.host.docker import Bind, Container
from keybuzz.model.inventory.server import Server
from keybuzz.site.site import Site
from tasks.galera import parameters
from tasks.galera.service.resources import MysqlAccess

GROUP = "galera"
CONTAINER = "mariadb"
UID = 1001
"""User of Bitnami's image; the official one has 999 (contradiction 34)."""
ROOT = "/opt/keybuzz/mariadb"
CONFIGURATION = f"{ROOT}/conf"
MY_CNF = f"{CONFIGURATION}/my.cnf"
START = f"{CONFIGURATION}/start.sh"
START_INSIDE = "/opt/keybuzz/start.sh"
START_TEXT = (Path(__file__).parent / "templates" / "start.sh").read_text(encoding="utf-8")
"""What finds a killed server's position before it starts."""
VOLUME = f"{ROOT}/data"
DATA = f"{VOLUME}/data"
"""Where Bitnami's image keeps the database inside the volume."""
INSIDE = "/bitnami/mariadb"
CUSTOM_CNF = "/opt/bitnami/mariadb/conf/my_custom.cnf"
SERVER = "/opt/bitnami/mariadb/sbin/mysqld"
PROVIDER = "/opt/bitnami/mariadb/lib/libgalera_smm.so"
ADMINISTRATOR = "root"
STOP_TIMEOUT = 120
"""Seconds: after Docker's own ten the server is killed, and no longer knows its position."""
BOOTSTRAP = "MARIADB_GALERA_CLUSTER_BOOTSTRAP"
FORCE = "MARIADB_GALERA_FORCE_SAFETOBOOTSTRAP"
EXTRA_FLAGS = "MARIADB_EXTRA_FLAGS"
NEW_CLUSTER = "--wsrep-new-cluster"
"""The image's own way to bootstrap is an empty cluster address, which the mounted my.cnf overrides (docs/images.md)."""
FIRST_START = "KBZ_FIRST_START"
"""Tells start.sh that half-made data in a marked volume may be made again."""
MARKER = ".kbz-first-start"
"""In the volume from before the first bootstrap until the node has served: what lies there was never written to."""
MARKER_TEXT = (
    "Managed by kbz (module galera): the first start of this cluster is under way, or was cut off. "
    "`kbz run galera` goes on with it.\n"
)
CHARACTER_SET = "utf8mb4"
COLLATION = "utf8mb4_unicode_ci"
_LONGEST = 32
"""Characters of a password that the image takes."""
_BREAKS = ("\\", '"', "\n")
"""The image refuses a backslash, and puts passwords into SQL between double quotes."""

Settings = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MyCnf:
    """Every name of my.cnf.j2."""

    settings: Settings


def settings(site: Site, server: Server) -> Settings:
    """Return what is settled for one node, each key once."""
    return (
        ("bind-address", "0.0.0.0"),
        ("skip-name-resolve", "ON"),
        ("default_storage_engine", "InnoDB"),
        ("binlog_format", "ROW"),
        ("innodb_autoinc_lock_mode", "2"),
        ("innodb_flush_log_at_trx_commit", "1"),
        ("innodb_flush_method", "O_DIRECT"),
        ("innodb_buffer_pool_size", parameters.BUFFER_POOL.of(site)),
        ("innodb_log_file_size", parameters.LOG_FILE.of(site)),
        ("query_cache_type", "0"),
        ("query_cache_size", "0"),
        ("max_connections", str(parameters.MAX_CONNECTIONS.of(site))),
        ("character-set-server", CHARACTER_SET),
        ("collation-server", COLLATION),
        ("wsrep_on", "ON"),
        ("wsrep_provider", PROVIDER),
        ("wsrep_cluster_name", cluster_name(site)),
        ("wsrep_cluster_address", cluster_address(site)),
        ("wsrep_node_name", server.name),
        ("wsrep_node_address", str(server.address)),
        ("wsrep_sst_method", "rsync"),
        ("wsrep_provider_options", f'"{provider_options(site)}"'),
    )


LIVE = (
    "binlog_format",
    "innodb_autoinc_lock_mode",
    "innodb_flush_log_at_trx_commit",
    "max_connections",
    "wsrep_on",
    "wsrep_sst_method",
    "wsrep_cluster_name",
    "wsrep_cluster_address",
    "wsrep_node_name",
    "wsrep_node_address",
)
"""Keys whose value in the running server is compared (GAL-2): a second block in a file would have changed them."""
DEFAULTS = (
    ("wsrep_osu_method", "TOI"),
    ("wsrep_max_ws_size", "2147483647"),
    ("wsrep_certify_nonpk", "ON"),
    ("wsrep_ignore_apply_errors", "7"),
)
"""Settings of the server's own, as it spells them: no file describes them, and no node may have them otherwise. With
another method of schema changes, other limits or other answers to errors it drifts away from the others."""
SWITCHES = (
    "read_only",
    "super_read_only",
    "wsrep_desync",
    "wsrep_provider_options",
    "wsrep_reject_queries",
    "sql_mode",
)
"""Variables that an operator sets in a running server, and that no file of ours names one by one."""
ASKED = LIVE + SWITCHES + tuple(name for name, _ in DEFAULTS)


def provider_options(site: Site) -> str:
    """Return the one line of options: a second one would take the place of the first (facts/07)."""
    options = (
        ("pc.recovery", "TRUE"),
        ("gcache.size", parameters.GCACHE.of(site)),
        ("gcs.fc_limit", "256"),
        ("gcs.fc_factor", "1.0"),
        ("gcs.fc_master_slave", "YES"),
        ("evs.keepalive_period", "PT3S"),
        ("evs.suspect_timeout", "PT10S"),
        ("evs.inactive_timeout", "PT30S"),
    )
    return ";".join(f"{key}={value}" for key, value in options)


def cluster_name(site: Site) -> str:
    """Return the name that all members agree on, and that a recovery wants typed."""
    return site.secret("GALERA_CLUSTER_NAME").reveal()


def cluster_address(site: Site) -> str:
    """Return the same list on every member."""
    return "gcomm://" + ",".join(str(member.address) for member in site.members(GROUP))


def access(site: Site, server: Server) -> MysqlAccess:
    """Return how a node is reached: on its private address, as its administrator."""
    return MysqlAccess(
        str(server.address), ADMINISTRATOR, password(site, "MARIADB_ROOT_PASSWORD"), 3306
    )


def password(site: Site, name: str) -> Secret:
    """Return a password; InputError for one that the image would refuse or break."""
    found = site.secret(name)
    clear, where = found.reveal(), f"{site.settings.credentials}/mariadb.env"
    if len(clear) > _LONGEST:
        raise InputError(
            f"{name} has more than {_LONGEST} characters, which the image does not take",
            where=where,
            hint="choose a shorter one",
        )
    if any(character in clear for character in _BREAKS):
        raise InputError(
            f"{name} has a backslash, a double quote or a line break, which the image does not take",
            where=where,
            hint="choose another one; letters and digits are always fine",
        )
    return found


def container(site: Site, server: Server) -> Container:
    """Return the steady container: it joins, and can never make a new cluster."""
    values = settings(site, server)
    return Container(
        CONTAINER,
        site.image("mariadb-galera"),
        command=("/bin/bash", START_INSIDE, "/opt/bitnami/scripts/mariadb-galera/run.sh"),
        environment=(
            ("MARIADB_ROOT_USER", ADMINISTRATOR),
            ("MARIADB_ROOT_PASSWORD", password(site, "MARIADB_ROOT_PASSWORD")),
            ("MARIADB_SKIP_TEST_DB", "yes"),
            ("MARIADB_REPLICATION_USER", site.secret("MARIADB_MONITOR_USER").reveal()),
            ("MARIADB_REPLICATION_PASSWORD", password(site, "MARIADB_MONITOR_PASSWORD")),
            ("MARIADB_GALERA_MARIABACKUP_USER", site.secret("MARIADB_SST_USER").reveal()),
            ("MARIADB_GALERA_MARIABACKUP_PASSWORD", password(site, "MARIADB_SST_PASSWORD")),
            ("MARIADB_GALERA_CLUSTER_NAME", cluster_name(site)),
            ("MARIADB_GALERA_CLUSTER_ADDRESS", cluster_address(site)),
            ("MARIADB_GALERA_NODE_NAME", server.name),
            # The image's own default is the address of eth0, which is the public one (facts/07).
            ("MARIADB_GALERA_NODE_ADDRESS", str(server.address)),
            # A changed my.cnf is a changed container: the server reads it at its start only.
            ("KBZ_CONFIGURATION", _digest(repr(values) + START_TEXT)),
        ),
        binds=(
            Bind(VOLUME, INSIDE),
            Bind(MY_CNF, CUSTOM_CNF, read_only=True),
            Bind(START, START_INSIDE, read_only=True),
        ),
        hostname=server.name,
        user=str(UID),
        stop_timeout=STOP_TIMEOUT,
    )


def first_start(steady: Container) -> Container:
    """Return the container that makes a new cluster, which Docker never starts by itself."""
    return _bootstrapping(steady, FIRST_START, FORCE)


def recovering(steady: Container) -> Container:
    """Return the container that makes a cluster of the data of one node, which a recovery has chosen."""
    return _bootstrapping(steady, FORCE)


def _bootstrapping(steady: Container, *purposes: str) -> Container:
    told = ((BOOTSTRAP, "yes"), (EXTRA_FLAGS, NEW_CLUSTER), *((name, "yes") for name in purposes))
    return replace(steady, environment=(*steady.environment, *told), restart="no")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
