"""What a Galera node must be (module 7: GAL-1, GAL-2). Pure."""

from __future__ import annotations

from pathlib import Path

from keybuzz.model.core.content import Content, Template
from keybuzz.model.core.reading import ContainerLog, DirectoryListing, Reading
from keybuzz.model.core.resource import Resource
from keybuzz.model.host.docker import Image
from keybuzz.model.host.files import Absent, Directory, File, ImageValidator
from keybuzz.model.host.retired import retired
from keybuzz.model.inventory.server import Server
from keybuzz.site.module import Description
from keybuzz.site.site import Site
from tasks.galera import applications, values
from tasks.galera.formats import FORMATS
from tasks.galera.service.readings import MysqlQuery
from tasks.galera.service.resources import MariadbData, MysqlDatabase, MysqlNoUser, MysqlUser

_TEMPLATES = Path(__file__).parent / "templates"
STATUS = (
    "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'wsrep%' OR Variable_name = 'Threads_connected'"
)
VARIABLES = f"SHOW GLOBAL VARIABLES WHERE Variable_name IN {values.ASKED}"
OPEN_ACCOUNTS = (
    # As bytes: the view's own collation and that of the server do not compare with each other.
    "SELECT User, Host, plugin, Super_priv, Grant_priv FROM mysql.user WHERE BINARY is_role = 'N' "
    "AND BINARY plugin IN ('', 'mysql_native_password', 'mysql_old_password') "
    "AND LENGTH(authentication_string) = 0 "
    # The server's own, which is locked.
    "AND User <> 'mariadb.sys'"
)
"""Accounts that let in without a password."""
_CHECKED = "/tmp/my.cnf"

LEFTOVERS = retired(
    units=("mariadb-docker.service", "mariadb-galera.service"),
    files=("/tmp/mariadb.env",),
)
"""What older scripts left beside it."""


def describe(site: Site, server: Server) -> Description:
    """Return the description of one node; every node is a joiner, the first install and a recovery aside."""
    image = site.image("mariadb-galera")
    return Description(
        (
            MariadbData(values.VOLUME, FORMATS.newest(image)),
            Directory(values.ROOT),
            Directory(values.CONFIGURATION),
            Directory(values.VOLUME, values.UID, values.UID, 0o700),
            Absent(f"{values.VOLUME}/{values.MARKER}"),
            Image(image),
            _my_cnf(site, server, image),
            File(values.START, Content.plain(values.START_TEXT), mode=0o755),
            values.container(site, server),
            *LEFTOVERS,
        ),
        _readings(site, server),
        cluster(site, server),
    )


def _my_cnf(site: Site, server: Server, image: str) -> File:
    """Return my.cnf, which the server itself reads once before it is in place: an unknown key stops it at its start."""
    return File(
        values.MY_CNF,
        Template(_TEMPLATES, "my.cnf.j2", values.MyCnf(values.settings(site, server))),
        validator=ImageValidator(
            image,
            (values.SERVER, f"--defaults-file={_CHECKED}", "--verbose", "--help"),
            _CHECKED,
        ),
    )


def cluster(site: Site, server: Server) -> tuple[Resource, ...]:
    """Return what is inside the cluster: ERPNext's database and user, and the user that ProxySQL monitors with."""
    reached = values.access(site, server)
    database = site.secret("MARIADB_DB").reveal()
    return (
        MysqlDatabase(reached, database, values.CHARACTER_SET, values.COLLATION),
        MysqlUser(
            reached,
            site.secret("MARIADB_APP_USER").reveal(),
            values.password(site, "MARIADB_APP_PASSWORD"),
            (("ALL PRIVILEGES", f"{database}.*"),),
            site.former.get("MARIADB_APP_PASSWORD"),
        ),
        MysqlUser(
            reached,
            site.secret("MARIADB_MONITOR_USER").reveal(),
            values.password(site, "MARIADB_MONITOR_PASSWORD"),
            # What MariaDB 10.5 and later call REPLICATION CLIENT.
            (("BINLOG MONITOR", "*.*"),),
            site.former.get("MARIADB_MONITOR_PASSWORD"),
        ),
        # The image makes them at the first start (docs/images.md). Nothing uses them, and nothing would change their
        # passwords: nodes copy by rsync, and ProxySQL comes over the network.
        MysqlNoUser(reached, site.secret("MARIADB_MONITOR_USER").reveal(), "localhost"),
        MysqlNoUser(reached, site.secret("MARIADB_SST_USER").reveal(), "localhost"),
        *applications.resources(site, server),
    )


def _readings(site: Site, server: Server) -> tuple[Reading, ...]:
    reached = values.access(site, server)
    return (
        MysqlQuery(
            "galera.node",
            reached.address,
            reached.port,
            reached.user,
            reached.password,
            (STATUS, VARIABLES, OPEN_ACCOUNTS),
        ),
        MysqlQuery(
            "galera.application",
            reached.address,
            reached.port,
            site.secret("MARIADB_APP_USER").reveal(),
            values.password(site, "MARIADB_APP_PASSWORD"),
        ),
        DirectoryListing("galera.volume", values.VOLUME),
        DirectoryListing("galera.data", values.DATA),
        ContainerLog("galera.log", values.CONTAINER, 2),
    )
